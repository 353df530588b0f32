"""Tracks: which box of this frame is which face of the last one; smooths each face's box.

It looks at no picture. A track predicts its box with constant velocity, takes the detection that
overlaps the prediction best, and lives on for a while when none does. It counts from two sure
detections on, or eight unsure ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from device.vocabulary import BoundingBox, Face, GreyImage

MIN_OVERLAP = 0.2  # intersection over union of prediction and detection
CONFIRMED = 8  # evidence from which a track counts: one detection alone is often a false alarm
SURE, UNSURE, MISS = 4, 1, -4  # evidence of a detection, and of one that does not find the face
MAX_UNDETECTED_S = 1.0  # a lost track waits this long for its face, where the board keeps up
CENTER_GAIN = 0.8  # of a detection's offset from the prediction
SIZE_GAIN = 0.4  # less: detectors' sizes jitter, and the crop should not breathe
VELOCITY_GAIN = 0.5
MAX_PREDICTION_S = 0.5  # heads do not move on evenly for longer


@dataclass
class Track:
    """One face through time.

    Attributes:
        track_id: never used again within one start.
        box: newest estimate, px.
        score: of the newest detection.
        at_s: time of ``box``.
        detected_s: time of the newest detection.
        velocity: (x, y) of the centre, px a second.
        evidence: of its detections, that it is a face.
        sure: the newest detection was.
        likeness: correlation of its template with the newest frame; 1 when it was just detected.
        template: (32, 32) uint8, the face when it was last detected; None: at the frame's edge.
    """

    track_id: int
    box: BoundingBox
    score: float
    at_s: float
    detected_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    evidence: int = SURE
    sure: bool = True
    likeness: float = 1.0
    template: GreyImage | None = None

    @property
    def confirmed(self) -> bool:
        """True when it is more than one detector's whim."""
        return self.evidence >= CONFIRMED

    def predicted(self, now_s: float) -> BoundingBox:
        """Where the face should be now."""
        ahead = min(max(now_s - self.at_s, 0.0), MAX_PREDICTION_S)
        dx, dy = self.velocity[0] * ahead, self.velocity[1] * ahead
        box = self.box
        return BoundingBox(box.xmin + dx, box.ymin + dy, box.xmax + dx, box.ymax + dy)

    def move_to(self, center: tuple[float, float], side: float, now_s: float) -> None:
        """Takes a new measurement of centre and side into box and velocity."""
        (x, y), (old_x, old_y), half = center, self.box.center, side / 2
        elapsed_s = now_s - self.at_s
        if elapsed_s > 0:
            vx, vy = self.velocity
            vx += VELOCITY_GAIN * ((x - old_x) / elapsed_s - vx)
            vy += VELOCITY_GAIN * ((y - old_y) / elapsed_s - vy)
            self.velocity = vx, vy
        self.box = BoundingBox(x - half, y - half, x + half, y + half)
        self.at_s = now_s

    def correct(self, face: Face, now_s: float) -> None:
        """Takes a detection; between it and the prediction lies the truth."""
        expected = self.predicted(now_s)
        (px, py), (x, y) = expected.center, face.box.center
        center = px + CENTER_GAIN * (x - px), py + CENTER_GAIN * (y - py)
        side = max(expected.width, expected.height)
        measured = max(face.box.width, face.box.height)
        self.move_to(center, side + SIZE_GAIN * (measured - side), now_s)
        self.score, self.detected_s, self.likeness = face.score, now_s, 1.0
        self.evidence += evidence_of(face)
        self.sure = face.sure


def evidence_of(face: Face) -> int:
    """What one detection says for a track."""
    return SURE if face.sure else UNSURE


def new_track(track_id: int, face: Face, now_s: float) -> Track:
    """The track of a face that is detected for the first time."""
    evidence = evidence_of(face)
    return Track(track_id, face.box, face.score, now_s, now_s, evidence=evidence, sure=face.sure)


class Tracks:
    """All tracks; detections go in, faces with ids come out.

    Attributes:
        max_undetected_s: how long a lost track waits for its face.
    """

    def __init__(self) -> None:
        self.active: list[Track] = []
        self.max_undetected_s = MAX_UNDETECTED_S
        self._next_id = 1

    def associate(self, detections: Sequence[Face], now_s: float) -> list[int]:
        """Gives each detection to the track whose prediction it overlaps best, or a new one.

        Returns:
            The track id of each detection.
        """
        pairs = [
            (track.predicted(now_s).intersection_over_union(face.box), i, j)
            for i, track in enumerate(self.active)
            for j, face in enumerate(detections)
        ]
        taken: dict[int, int] = {}  # detection: track id
        found: set[int] = set()
        for overlap, i, j in sorted(pairs, reverse=True):
            if overlap >= MIN_OVERLAP and i not in found and j not in taken:
                found.add(i)
                taken[j] = self.active[i].track_id
                self.active[i].correct(detections[j], now_s)
        for i, track in enumerate(self.active):
            if i not in found:
                track.evidence += 0 if track.confirmed else MISS
        for j, face in enumerate(detections):
            if j not in taken:
                self.active.append(new_track(self._next_id, face, now_s))
                taken[j] = self._next_id
                self._next_id += 1
        self.forget(now_s)
        return [taken[j] for j in range(len(detections))]

    def forget(self, now_s: float) -> None:
        """Drops lost tracks, and unconfirmed ones without evidence left."""
        self.active = [
            track
            for track in self.active
            if now_s - track.detected_s <= self.max_undetected_s and track.evidence > 0
        ]
