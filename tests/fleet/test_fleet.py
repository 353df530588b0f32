from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker import MOSQUITTO
from tests.fleet.measure import measure

pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")


def test_a_small_fleet_loses_nothing(tmp_path: Path) -> None:
    figures = measure(num_devices=20, seconds=2.0, rate_hz=2.0, folder=tmp_path)
    assert (figures.lost, figures.num_devices) == (0, 20)
    assert figures.sent >= 20  # each has said something; a machine that stands still says less
    assert 0 < figures.p50_ms <= figures.p99_ms <= figures.max_ms


@pytest.mark.slow
def test_a_thousand_devices_for_a_minute_lose_nothing(tmp_path: Path) -> None:
    figures = measure(num_devices=1000, seconds=60.0, rate_hz=1.0, folder=tmp_path)
    print(figures.to_json())
    assert figures.lost == 0
    assert figures.sent >= 30_000  # a busy machine simulates fewer than a thousand a second
