"""Detects now and then, follows in between: the tracker of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable

from device.vision.detection_interval import DetectionInterval
from device.vision.tracking_template import cut_template, find_template
from device.vision.tracks import Track, Tracks
from device.vocabulary import Face, GreyImage

Detect = Callable[[GreyImage], list[Face]]


class DetectAndTrack:
    """Faces with ids in every frame for the price of a detection in every few.

    A face is reported from its second detection on, while it is detected or its picture is
    found again. One that is neither keeps its id for a second, unreported.
    """

    def __init__(
        self, detect: Detect, interval_s: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Takes its parts.

        Args:
            detect: searches a whole frame, (height, width) uint8.
            interval_s: s between detections while the board keeps up.
            clock: times a detection; a costly one makes the interval longer.
        """
        self._detect_faces, self._clock = detect, clock
        self._interval = DetectionInterval(interval_s)
        self._tracks = Tracks()
        self._templates: dict[int, GreyImage] = {}

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        """Faces of a (height, width) uint8 frame with track ids, largest first."""
        tracks = self._tracks
        if self._interval.due(now_s, any(not track.confirmed for track in tracks.active)):
            self._detect(image, now_s)
        else:
            tracks.forget(now_s)
        for track in tracks.active:
            if track.detected_s != now_s:
                self._follow(image, track, now_s)
        found = [t for t in tracks.active if t.confirmed and t.at_s == now_s]
        faces = [Face(t.box, t.score, t.track_id) for t in found]
        return sorted(faces, key=lambda face: -face.box.area)

    def _detect(self, image: GreyImage, now_s: float) -> None:
        start = self._clock()
        detections = self._detect_faces(image)
        self._interval.detected(now_s, self._clock() - start)
        self._tracks.associate(detections, now_s)
        previous, self._templates = self._templates, {}
        for track in self._tracks.active:
            template = previous.get(track.track_id)
            if track.detected_s == now_s:
                template = cut_template(image, track.box)
            if template is not None:
                self._templates[track.track_id] = template

    def _follow(self, image: GreyImage, track: Track, now_s: float) -> None:
        template = self._templates.get(track.track_id)
        if template is None:
            return
        expected = track.predicted(now_s)
        center = find_template(image, template, expected)
        if center is not None:
            track.move_to(center, expected.width, now_s)
