"""What a detector and the device's tracker make of the moving demo: its face, and ghosts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from device.camera.demo import face_at, frames
from device.settings import Settings
from device.vision.stage import DetectAndTrack
from device.vocabulary import BoundingBox, Face

SIZE = (640, 480)
FRAME_RATE_HZ = 15.0
SAME_FACE = 0.3  # intersection over union with where the face is
HALF_SEEN = 0.5  # of the face lies in the frame


def follow_demo(
    detect: Callable[[npt.NDArray[np.uint8]], list[Face]], seconds: float
) -> dict[str, Any]:
    """Plays the demo at 15 frames a second.

    Returns:
        ``demo_seen``: share of the frames with the face in view in which it was reported;
        ``demo_tracks``: how many ids it got; ``demo_ghost_frames``: frames with anything else
        reported; ``demo_ghosts``: how many ids these got.
    """
    # A clock that stands still: the interval must not depend on this machine's load.
    tracker = DetectAndTrack(detect, Settings().detector.interval_s, clock=lambda: 0.0)
    in_view = seen = ghost_frames = 0
    ids: set[int | None] = set()
    ghosts: set[int | None] = set()
    for frame in islice(frames(*SIZE, FRAME_RATE_HZ), int(seconds * FRAME_RATE_HZ)):
        found = tracker.update(frame.image, frame.captured_at_s)
        place = face_at(frame.captured_at_s, *SIZE)
        on_face = [f for f in found if f.box.intersection_over_union(place) >= SAME_FACE][:1]
        others = [face for face in found if face not in on_face]
        if share_in_view(place) >= HALF_SEEN:
            in_view += 1
            seen += bool(on_face)
        ghost_frames += bool(others)
        ids |= {face.track_id for face in on_face}
        ghosts |= {face.track_id for face in others}
    return {
        "demo_seen": seen / max(in_view, 1),
        "demo_tracks": len(ids),
        "demo_ghost_frames": ghost_frames,
        "demo_ghosts": len(ghosts - ids),
    }


def share_in_view(box: BoundingBox) -> float:
    """Share of a box that lies in the frame."""
    width, height = SIZE
    inside_x = min(box.xmax, width) - max(box.xmin, 0)
    inside_y = min(box.ymax, height) - max(box.ymin, 0)
    return max(inside_x, 0) * max(inside_y, 0) / box.area
