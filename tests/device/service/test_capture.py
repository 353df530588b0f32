from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.service.capture import (
    CaptureStore,
    CapturingClassifier,
    clear_captures,
    export_captures,
    list_captures,
)
from device.settings.tree import Capture
from device.vocabulary import BoundingBox, Classification, Face
from tests.device.mqtt.appliance import wait_until
from tests.fakes import HAPPY, FakeClassifier

CROP = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48).astype(np.uint8)
FACE = Face(BoundingBox(8, 8, 40, 40), 0.9, track_id=1)


class Calendar:
    """Every look at it is a second later."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
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


def test_the_oldest_go_when_there_are_too_many(store: CaptureStore, tmp_path: Path) -> None:
    add(store, tmp_path / "capture", 8)
    names = [path.name for path in list_captures(tmp_path / "capture")]
    store.prune()
    assert [path.name for path in list_captures(tmp_path / "capture")] == names[-5:]


def test_each_goes_when_it_is_too_old(
    store: CaptureStore, tmp_path: Path, calendar: Calendar
) -> None:
    add(store, tmp_path / "capture", 3)
    calendar.now += timedelta(days=1)
    add(store, tmp_path / "capture", 1)
    calendar.now += timedelta(days=1, hours=1)
    store.prune()
    assert len(list_captures(tmp_path / "capture")) == 1


def test_other_files_in_the_folder_are_left_alone(store: CaptureStore, tmp_path: Path) -> None:
    (tmp_path / "capture" / "notes.txt").write_text("mine")
    clear_captures(tmp_path / "capture")
    assert (tmp_path / "capture" / "notes.txt").exists()


def test_one_face_is_collected_now_and_then_and_never_in_doubt(
    store: CaptureStore, tmp_path: Path
) -> None:
    now = [0.0]
    classifier = CapturingClassifier(FakeClassifier(), store, 2.0, clock=lambda: now[0])
    image = np.zeros((48, 64), np.uint8)
    for tenth in range(50):
        now[0] = tenth / 10
        answers = classifier.classify(image, [FACE, Face(FACE.box, 0.9, 2, doubt="blurred")])
        assert len(answers) == 2
    wait_until(lambda: len(list_captures(tmp_path / "capture")) == 3)


def test_the_export_is_the_folder_form_of_the_data_set(store: CaptureStore, tmp_path: Path) -> None:
    add(store, tmp_path / "capture", 2)
    assert export_captures(tmp_path / "capture", tmp_path / "out") == 2
    assert len(list((tmp_path / "out" / "happy").glob("*.png"))) == 2
    assert clear_captures(tmp_path / "capture") == 2
    assert list_captures(tmp_path / "capture") == []


def test_nothing_collected_is_nothing_to_export(tmp_path: Path) -> None:
    assert export_captures(tmp_path / "missing", tmp_path / "out") == 0
