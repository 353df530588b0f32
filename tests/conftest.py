"""What many tests share: a real broker on a free loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Mosquitto, TestBroker, start_broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker of the test's own: mosquitto, or the embedded one where it is not installed."""
    with start_broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def real_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """mosquitto itself, for what only it can do (TLS, access lists, MQTT 5)."""
    with start_broker(tmp_path) as broker:
        if not isinstance(broker, Mosquitto):
            pytest.skip("mosquitto is not installed; see tests/install-mosquitto.sh")
        yield broker
