from __future__ import annotations

import numpy as np
import pytest

from device.camera.demo import face_at
from device.vocabulary import BoundingBox, Face
from training.reports.moving_demo import follow_demo, share_in_view

FRAME_S = 1 / 15


class Follower:
    """Sees the demo's face at its place, for ``extra`` also a corner; detects in every frame."""

    def __init__(self, extra: bool = False) -> None:
        self._extra, self._calls = extra, 0

    def detect(self, image: np.ndarray) -> list[Face]:
        # The tracker looks at the first two frames, then at every sixth while the face is sure.
        number = (0, 1)[self._calls] if self._calls < 2 else 1 + 6 * (self._calls - 1)
        self._calls += 1
        faces = [Face(face_at(number * FRAME_S, 640, 480), 0.9)]
        return [*faces, Face(BoundingBox(5, 400, 65, 460), 0.9)] if self._extra else faces


def test_a_detector_that_sees_the_face_alone_has_one_id_and_no_ghost() -> None:
    row = follow_demo(Follower().detect, 2.0)
    assert row["demo_seen"] >= 29 / 30 - 1e-9  # a face is reported from its second detection on
    assert (row["demo_tracks"], row["demo_ghost_frames"], row["demo_ghosts"]) == (1, 0, 0)


def test_what_is_reported_beside_the_face_is_a_ghost() -> None:
    row = follow_demo(Follower(extra=True).detect, 0.4)
    assert row["demo_tracks"] == 1
    assert row["demo_ghosts"] == 1
    assert row["demo_ghost_frames"] > 0


def test_a_detector_that_sees_nothing_has_neither() -> None:
    row = follow_demo(lambda _: [], 0.2)
    assert set(row.values()) == {0}


def test_the_share_in_view() -> None:
    assert share_in_view(BoundingBox(-50, 0, 50, 100)) == pytest.approx(0.5)
    assert share_in_view(BoundingBox(-200, 0, -100, 100)) == 0
