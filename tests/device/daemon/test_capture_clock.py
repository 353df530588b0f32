"""The age of collected faces on a device that does not know the time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from device.daemon.collected_faces import CaptureStore, list_captures
from device.settings.tree import Capture
from tests.device.daemon.test_collected_faces import Calendar, add, collect


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.mark.parametrize("visited", [True, False])
def test_without_the_time_age_counts_by_the_hours_that_the_device_runs(
    tmp_path: Path, visited: bool
) -> None:
    folder = tmp_path / "capture"
    settings = Capture(max_pictures=500, max_days=2)
    most = 0
    for day in range(12):
        calendar = Calendar()  # each morning the clock begins anew
        store = CaptureStore(folder, settings, calendar, is_synced=lambda: False)
        if visited or day == 0:
            add(store, folder, 1)
        calendar.go_on(timedelta(hours=9))
        store.close()
        most = max(most, len(list_captures(folder)))
    assert most == (5 if visited else 1)  # two days are five of nine hours
    assert len(list_captures(folder)) == (5 if visited else 0)


def test_a_clock_that_was_set_stays_right_when_the_network_goes(
    tmp_path: Path, calendar: Calendar
) -> None:
    folder, synced = tmp_path / "capture", [False]
    settings = Capture(max_pictures=500, max_days=2)
    folder.mkdir()
    (folder / ".clock").write_text("20270611T120000000000Z")  # ahead of the clock at the start
    store = CaptureStore(folder, settings, calendar, is_synced=lambda: synced[0])
    calendar.go_on(timedelta(days=300))
    synced[0] = True
    add(store, folder, 2)
    synced[0] = False
    store.prune()
    store.close()
    assert len(list_captures(folder)) == 2


def test_a_disk_that_takes_no_memory_of_the_time_still_loses_what_is_too_old(
    tmp_path: Path, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "capture"
    (folder / ".clock").mkdir(parents=True)  # cannot be written, as on a full disk
    (folder / "20261120T120000000000Z_happy_090_1.png").write_bytes(b"x")
    store = CaptureStore(folder, Capture(max_days=2), calendar, is_synced=lambda: False)
    store.close()
    assert list_captures(folder) == []


def test_a_damaged_memory_of_the_time_is_left_alone(tmp_path: Path, calendar: Calendar) -> None:
    folder = tmp_path / "capture"
    collect(folder, 2026)
    (folder / ".clock").write_bytes(b"\xff\x00nonsense")
    store = CaptureStore(folder, Capture(max_days=2), calendar, is_synced=lambda: False)
    store.close()
    assert len(list_captures(folder)) == 1
    store = CaptureStore(folder, Capture(max_days=2), calendar, is_synced=lambda: True)
    store.close()
    assert not (folder / ".clock").exists()
