"""Detects now and then, follows in between: the tracker of the loop.

The detection interval is short enough for new faces. It is longer when the board is busy, and
while every face is followed surely: then nothing but a new face needs a detection. Between
detections a face's tracking template, its small picture, is found again by normalised
cross-correlation.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2

from device.vision.preprocess import crop_square, cut_square
from device.vision.smoothed_tracks import MAX_UNDETECTED_S, Track, Tracks
from device.vocabulary import BoundingBox, Face, GreyImage

MAX_INTERVAL_S = 0.3  # a face that is lost or not sure is looked for within this, whatever the load
SURE_FACTOR = 2.0  # by which the interval grows while every face is followed surely
MAX_SHARE = 0.3  # of the time that detection may take
COST_GAIN = 0.2  # running mean of what a detection costs
TEMPLATE_PX = 32  # the face is compared at this size: 0.1 ms, steps of 3 % of the face
BORDER_PX = 12  # at this size: how far it may be from where it was expected
MIN_CORRELATION = 0.6
SURE_CORRELATION = 0.85
MIN_INSIDE_PX = 4

Detect = Callable[[GreyImage], list[Face]]


class DetectionInterval:
    """Decides frame by frame whether a detection is due.

    Attributes:
        slowness: 1; larger on a busy board: the interval grows by so much.
        detected_s: time of the newest frame that was searched.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._cost_s = self._period_s = 0.0
        self._frame_s: float | None = None
        self.detected_s: float | None = None
        self.slowness = 1.0

    @property
    def interval_s(self) -> float:
        """The interval under the present load, s; ``SURE_FACTOR`` longer when all is sure."""
        interval_s = min(MAX_INTERVAL_S, max(self._interval_s, self._cost_s / MAX_SHARE))
        return interval_s * self.slowness

    def due(self, now_s: float, unconfirmed: bool, sure: bool = False) -> bool:
        """True when this frame should be searched.

        Args:
            now_s: time of the frame.
            unconfirmed: a face was found once and waits for its second detection.
            sure: every face is followed surely.
        """
        if self._frame_s is not None:
            self._period_s = max(0.0, now_s - self._frame_s)
        self._frame_s = now_s
        if self.detected_s is None or unconfirmed or now_s < self.detected_s:
            return True
        # Half a frame early is nearer to the interval than half a frame late.
        interval_s = self.interval_s * (SURE_FACTOR if sure else 1.0)
        return now_s - self.detected_s >= interval_s - self._period_s / 2

    def detected(self, now_s: float, cost_s: float) -> None:
        """Notes a detection on the frame of ``now_s`` that took ``cost_s``."""
        gain = 1.0 if self.detected_s is None else COST_GAIN
        self._cost_s += (cost_s - self._cost_s) * gain
        self.detected_s = now_s


class DetectAndTrack:
    """Faces with ids in every frame for the price of a detection in every few.

    A face is reported from its second detection on (its eighth where the detector is not sure of
    it), while it is detected or its picture is found again. One that is not detected for a second
    loses its id; where the board searches more seldom, later, so that one detection may miss it.

    Args:
        detect: searches a whole frame, (height, width) uint8.
        interval_s: s between detections while the board keeps up.
        clock: times a detection; a costly one makes the interval longer.

    Attributes:
        interval: how often it detects.
    """

    def __init__(
        self, detect: Detect, interval_s: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._detect_faces, self._clock = detect, clock
        self.interval = DetectionInterval(interval_s)
        self._tracks = Tracks()

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        """Faces of a (height, width) uint8 frame with track ids, largest first."""
        active = self._tracks.active
        self._tracks.max_undetected_s = MAX_UNDETECTED_S * self.interval.slowness
        # An unsure detection waits for the next one: a ghost is the same in two frames in a row.
        unconfirmed = any(track.sure and not track.confirmed for track in active)
        sure = bool(active) and all(
            track.confirmed
            and track.likeness >= SURE_CORRELATION
            and track.detected_s == self.interval.detected_s
            for track in active
        )
        if self.interval.due(now_s, unconfirmed, sure):
            self._detect(image, now_s)
        else:
            self._tracks.forget(now_s)
        for track in self._tracks.active:
            if track.detected_s != now_s:
                follow(image, track, now_s)
        found = [t for t in self._tracks.active if t.confirmed and t.at_s == now_s]
        faces = [Face(t.box, t.score, t.track_id, tracked=t.detected_s != now_s) for t in found]
        return sorted(faces, key=lambda face: -face.box.area)

    def _detect(self, image: GreyImage, now_s: float) -> None:
        start = self._clock()
        detections = self._detect_faces(image)
        self.interval.detected(now_s, self._clock() - start)
        self._tracks.associate(detections, now_s)
        for track in self._tracks.active:
            if track.detected_s == now_s:
                track.template = cut_template(image, track.box)


def follow(image: GreyImage, track: Track, now_s: float) -> None:
    """Moves a track to where its template is found, if it is."""
    track.likeness = 0.0
    if track.template is None:
        return
    expected = track.predicted(now_s)
    center, likeness = find_template(image, track.template, expected)
    if center is not None:
        track.likeness = likeness
        track.move_to(center, expected.width, now_s)


def cut_template(image: GreyImage, box: BoundingBox, border_px: int = 0) -> GreyImage | None:
    """The face as a (32, 32) uint8 picture; None when less than half of it is in the frame.

    Args:
        image: (height, width) uint8 frame; beyond it its border is repeated.
        box: of the face, a square.
        border_px: of the template's pixels, added around the face.
    """
    height, width = image.shape
    share = 2 * border_px / TEMPLATE_PX
    area = crop_square(box, share)
    inside_x = min(area.xmax, width) - max(area.xmin, 0)
    inside_y = min(area.ymax, height) - max(area.ymin, 0)
    if min(inside_x, inside_y) < MIN_INSIDE_PX or inside_x * inside_y < area.area / 2:
        return None
    return cut_square(image, box, share, TEMPLATE_PX + 2 * border_px)


def find_template(
    image: GreyImage, template: GreyImage, expected: BoundingBox
) -> tuple[tuple[float, float] | None, float]:
    """Centre (x, y) px of the template near ``expected``, None when it is not there; correlation.

    Args:
        image: (height, width) uint8 frame.
        template: (32, 32) uint8, cut at the face's last detection.
        expected: where the face should be, in its present size.
    """
    search = cut_template(image, expected, BORDER_PX)
    if search is None:
        return None, 0.0
    scores = cv2.matchTemplate(search, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(scores)
    if not best >= MIN_CORRELATION:  # also refuses the NaN of a flat picture
        return None, 0.0
    (x, y), step = expected.center, max(expected.width, expected.height) / TEMPLATE_PX
    return (x + (column - BORDER_PX) * step, y + (row - BORDER_PX) * step), best
