"""Detects now and then, follows in between: the tracker of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable

from device.pipeline import FaceDetector
from device.vision.cadence import Cadence
from device.vision.landmarks import LandmarkNetwork
from device.vision.quality import QualityGate
from device.vision.template import cut_template, find_template
from device.vision.tracks import Track, Tracks
from device.vocabulary import Face, GreyImage


class DetectAndTrack:
    """Faces with ids in every frame for the price of a detection in every few.

    A face is reported from its second detection on, while it is detected or its picture is
    found again. One that is neither keeps its id for a second, unreported.
    """

    def __init__(
        self,
        detector: FaceDetector,
        quality: QualityGate,
        interval_s: float,
        landmarks: LandmarkNetwork | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Takes its parts.

        Args:
            detector: searches whole frames.
            quality: judges every reported face.
            interval_s: s between detections while the board keeps up.
            landmarks: adds five points to every reported face; None where it is absent.
            clock: times a detection, for the cadence under load.
        """
        self._detector = detector
        self._quality = quality
        self._landmarks = landmarks
        self._cadence = Cadence(interval_s)
        self._tracks = Tracks()
        self._templates: dict[int, GreyImage] = {}
        self._clock = clock

    def use(self, detector: FaceDetector) -> None:
        """Goes on with another detector; tracks and their ids stay."""
        self._detector = detector

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        """Faces of a (height, width) uint8 frame, largest first, with track ids and rejection reasons."""
        tracks = self._tracks
        if self._cadence.due(now_s, any(not track.confirmed for track in tracks.active)):
            self._detect(image, now_s)
        else:
            tracks.forget(now_s)
        for track in tracks.active:
            if track.detected_s != now_s:
                self._follow(image, track, now_s)
        found = [t for t in tracks.active if t.confirmed and t.at_s == now_s]
        faces = [Face(t.box, t.score, t.track_id) for t in found]
        faces.sort(key=lambda face: -face.box.area)
        if self._landmarks:
            faces = self._landmarks.place(image, faces)
        return self._quality.judge(image, faces)

    def _detect(self, image: GreyImage, now_s: float) -> None:
        start = self._clock()
        detections = self._detector.detect(image)
        self._cadence.detected(now_s, self._clock() - start)
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
