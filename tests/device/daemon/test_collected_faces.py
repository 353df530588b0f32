from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.daemon.collected_faces import (
    CaptureStore,
    clear_captures,
    export_captures,
    list_captures,
)
from device.display.choose import open_display
from device.display.wording import CAPTURE_NOTICE
from device.errors import UsageError
from device.settings import Settings
from device.settings.tree import Capture
from device.vocabulary import BoundingBox, CameraState, Classification, Face, Scene, Status
from tests.device.mqtt.appliance import wait_until
from tests.fakes import CROP, HAPPY

FACE = Face(BoundingBox(8, 8, 40, 40), 0.9, track_id=1, crop=CROP)


class Calendar:
    """Every look at it is a second later; the store's thread looks, too."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
        self._turn = threading.Lock()

    def __call__(self) -> datetime:
        return self.go_on(timedelta(seconds=1))

    def go_on(self, time: timedelta) -> datetime:
        with self._turn:
            self.now += time
            return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def store(tmp_path: Path, calendar: Calendar) -> Iterator[CaptureStore]:
    store = CaptureStore(tmp_path / "capture", Capture(max_pictures=5, max_days=2), calendar)
    yield store
    store.close()


def add(store: CaptureStore, folder: Path, count: int) -> None:
    for _ in range(count):
        before = len(list_captures(folder))
        store.add(CROP, Classification(FACE, HAPPY))
        wait_until(lambda before=before: len(list_captures(folder)) > before)  # type: ignore[misc]


def test_a_crop_is_kept_as_it_was_named_by_what_it_shows(
    store: CaptureStore, tmp_path: Path
) -> None:
    add(store, tmp_path / "capture", 1)
    (path,) = list_captures(tmp_path / "capture")
    assert path.name.endswith("_happy_090_1.png")
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), CROP)
    assert (tmp_path / "capture").stat().st_mode & 0o077 == 0


def newest_in(folder: Path) -> str:
    return max((path.name for path in list_captures(folder)), default="")


def test_the_oldest_go_when_there_are_too_many(store: CaptureStore, tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    newest = ""
    for _ in range(8):
        store.add(CROP, Classification(FACE, HAPPY))
        wait_until(lambda before=newest: newest_in(folder) != before)  # type: ignore[misc]
        newest = newest_in(folder)
        assert len(list_captures(folder)) <= 5
    assert len(list_captures(folder)) == 5
    clear_captures(folder)
    add(store, folder, 5)
    assert len(list_captures(folder)) == 5


def test_each_goes_when_it_is_too_old(
    store: CaptureStore, tmp_path: Path, calendar: Calendar
) -> None:
    add(store, tmp_path / "capture", 3)
    calendar.go_on(timedelta(days=1))
    add(store, tmp_path / "capture", 1)
    calendar.go_on(timedelta(days=1, hours=1))
    store.prune()
    assert len(list_captures(tmp_path / "capture")) == 1


def collect(folder: Path, *years: int) -> None:
    folder.mkdir(mode=0o700)
    for year in years:
        (folder / f"{year}1123T120000000000Z_happy_090_1.png").write_bytes(b"x")


@pytest.mark.parametrize("year", [1970, 2038])
def test_a_clock_that_is_not_set_makes_nothing_old(
    tmp_path: Path, calendar: Calendar, year: int
) -> None:
    folder = tmp_path / "capture"
    collect(folder, 2026)
    calendar.now = calendar.now.replace(year=year)
    settings = Capture(max_pictures=5, max_days=2)
    store = CaptureStore(folder, settings, calendar, is_synced=lambda: False)
    add(store, folder, 2)
    store.prune()
    store.close()
    assert len(list_captures(folder)) == 3


@pytest.mark.parametrize("year", [1970, 2038])
def test_what_has_an_impossible_time_is_as_old_as_the_moment_the_clock_is_set(
    tmp_path: Path, calendar: Calendar, year: int
) -> None:
    folder = tmp_path / "capture"
    collect(folder, year)
    settings = Capture(max_pictures=5, max_days=2)
    store = CaptureStore(folder, settings, calendar, is_synced=lambda: True)
    assert len(list_captures(folder)) == 1
    calendar.go_on(timedelta(days=1))
    store.prune()
    assert len(list_captures(folder)) == 1
    calendar.go_on(timedelta(days=1, hours=1))
    store.prune()
    store.close()
    assert list_captures(folder) == []


@pytest.mark.parametrize(("is_synced", "expected"), [(True, 0), (False, 1)])
def test_after_a_long_pause_only_a_set_clock_makes_old(
    tmp_path: Path, calendar: Calendar, is_synced: bool, expected: int
) -> None:
    folder = tmp_path / "capture"
    collect(folder, 2025)
    calendar.go_on(timedelta(days=1))
    store = CaptureStore(folder, Capture(max_days=2), calendar, is_synced=lambda: is_synced)
    store.close()
    assert len(list_captures(folder)) == expected


def test_a_name_with_an_impossible_day_ends_nothing(store: CaptureStore, tmp_path: Path) -> None:
    (tmp_path / "capture" / "20260230T120000000000Z_happy_090_1.png").write_bytes(b"x")
    add(store, tmp_path / "capture", 1)
    store.prune()
    assert len(list_captures(tmp_path / "capture")) == 1


def test_other_files_in_the_folder_are_left_alone(store: CaptureStore, tmp_path: Path) -> None:
    (tmp_path / "capture" / "notes.txt").write_text("mine")
    clear_captures(tmp_path / "capture")
    assert (tmp_path / "capture" / "notes.txt").exists()


def test_one_face_is_collected_now_and_then_and_never_when_rejected(
    store: CaptureStore, tmp_path: Path
) -> None:
    blurred = replace(FACE, track_id=2, rejection_reason="blurred")
    for tenth in range(50):
        store.collect([Classification(face, HAPPY) for face in (FACE, blurred)], tenth / 10)
    wait_until(lambda: len(list_captures(tmp_path / "capture")) == 3)


def test_a_face_that_was_not_classified_in_this_frame_is_not_collected(
    store: CaptureStore, tmp_path: Path
) -> None:
    store.collect([Classification(FACE, HAPPY, is_new=False)], 0.0)
    store.close()
    assert list(tmp_path.rglob("*.png")) == []


def test_the_export_is_a_folder_an_expression_and_a_list(
    store: CaptureStore, tmp_path: Path
) -> None:
    add(store, tmp_path / "capture", 2)
    out = tmp_path / "out"
    assert export_captures(tmp_path / "capture", out) == 2
    names = sorted(path.name for path in (out / "happy").glob("*.png"))
    lines = [f"happy/{name},happy,0.90" for name in names]
    assert (out / "captured.csv").read_text().splitlines() == [
        "file,expression,probability",
        *lines,
    ]
    assert clear_captures(tmp_path / "capture") == 2
    assert list_captures(tmp_path / "capture") == []


def test_nothing_collected_is_nothing_to_export(tmp_path: Path) -> None:
    assert export_captures(tmp_path / "missing", tmp_path / "out") == 0
    assert not (tmp_path / "out").exists()


def test_an_export_that_fails_leaves_no_list_and_can_be_done_again(
    store: CaptureStore, tmp_path: Path
) -> None:
    add(store, tmp_path / "capture", 2)
    out = tmp_path / "out"
    (out / "happy").mkdir(parents=True)
    last = list_captures(tmp_path / "capture")[-1].name
    (out / "happy" / last).mkdir()  # cannot be written
    with pytest.raises(OSError, match=last):
        export_captures(tmp_path / "capture", out)
    assert not (out / "captured.csv").exists()
    (out / "happy" / last).rmdir()
    assert export_captures(tmp_path / "capture", out) == 2
    with pytest.raises(UsageError, match="is there already"):
        export_captures(tmp_path / "capture", out)


def test_a_crop_that_a_power_cut_damaged_is_left_out(store: CaptureStore, tmp_path: Path) -> None:
    add(store, tmp_path / "capture", 3)
    first, second, third = list_captures(tmp_path / "capture")
    first.write_bytes(b"")
    second.write_bytes(third.read_bytes()[:30])
    assert export_captures(tmp_path / "capture", tmp_path / "out") == 1
    assert [path.name for path in (tmp_path / "out" / "happy").iterdir()] == [third.name]


def test_age_counts_while_nobody_comes_by(tmp_path: Path, calendar: Calendar) -> None:
    folder = tmp_path / "capture"
    store = CaptureStore(folder, Capture(max_days=2), calendar, prune_interval_s=0.01)
    add(store, folder, 1)
    calendar.go_on(timedelta(days=3))
    wait_until(lambda: list_captures(folder) == [])
    store.close()


def test_it_is_off_and_limited_by_default_and_the_notice_cannot_be_switched_off() -> None:
    settings = Settings()
    assert settings.capture == Capture(enabled=False, max_pictures=2000, max_days=14)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def painted(capturing: bool) -> str:
        stream, display = Terminal(), replace(settings.display, notice=False)
        capture = replace(settings.capture, enabled=capturing)
        screen = open_display(replace(settings, display=display, capture=capture), stream)
        screen.show(Scene((), 0, 0, 0.0), Status(CameraState.ONLINE), None)
        wait_until(stream.getvalue)
        screen.close()
        return stream.getvalue()

    assert CAPTURE_NOTICE in painted(capturing=True)
    assert CAPTURE_NOTICE not in painted(capturing=False)


def test_what_the_disk_refuses_is_told_once_and_in_words(
    store: CaptureStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "capture" / ".part").mkdir()  # in the way
    for _ in range(2):
        store.add(CROP, Classification(FACE, HAPPY))
    store.close()
    folder = tmp_path / "capture"
    assert caplog.messages == [f"capture: cannot write to {folder}: {folder}/.part: Is a directory"]
