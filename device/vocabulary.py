"""The words of Mien as plain frozen data: Frame -> Face -> Classification -> ExpressionEvent.

Nothing here does input or output. Coordinates are pixels of the frame, durations end in
``_s`` or ``_ms``, and every ``at_s`` is a reading of the monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

GreyImage = npt.NDArray[np.uint8]  # (height, width)
Image = npt.NDArray[np.uint8]  # (height, width) grey or (height, width, 3) RGB
Probabilities = npt.NDArray[np.float32]  # (7,), in the order of EXPRESSIONS, sums to 1


class Expression(str, Enum):
    """What a face shows; never what a person feels."""

    ANGRY = "angry"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"
    UNCERTAIN = "uncertain"  # no class passes the threshold, or the crop is not good enough


EXPRESSIONS: tuple[Expression, ...] = tuple(e for e in Expression if e is not Expression.UNCERTAIN)
"""The seven classes in FER2013 order: the order of every logits and probabilities vector."""


@dataclass(frozen=True)
class Frame:
    """One picture of the camera.

    Attributes:
        image: (height, width) uint8 grey or (height, width, 3) uint8 RGB.
        captured_at_s: monotonic time of the capture.
        source: where it came from (a path, ``demo``, ``/dev/video0``), for people.
    """

    image: Image
    captured_at_s: float
    source: str = ""

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.image.shape[1])


@dataclass(frozen=True)
class BoundingBox:
    """Half-open box in pixels; may reach beyond the frame until it is clipped."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.xmax - self.xmin

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.ymax - self.ymin

    @property
    def area(self) -> float:
        """Area in square pixels, 0 for an empty box."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def center(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.xmin + self.xmax) / 2, (self.ymin + self.ymax) / 2

    def intersection_over_union(self, other: BoundingBox) -> float:
        """Overlap with another box, 0 to 1."""
        width = min(self.xmax, other.xmax) - max(self.xmin, other.xmin)
        height = min(self.ymax, other.ymax) - max(self.ymin, other.ymin)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def as_pixels(self) -> tuple[int, int, int, int]:
        """(xmin, ymin, xmax, ymax) rounded to whole pixels."""
        return round(self.xmin), round(self.ymin), round(self.xmax), round(self.ymax)


@dataclass(frozen=True)
class Face:
    """A face in one frame.

    Attributes:
        box: the detector's (or tracker's) box.
        score: the detector's confidence, 0 to 1.
        track_id: the tracker's number, None before tracking.
        tracked: True where its picture was found again, between two detections.
        sure: False where the detector's second stage hesitates: such a face of a video is
            reported only after more detections than others.
        landmarks: (5, 2) float32 px: the subject's right eye, left eye, nose tip, right
            and left mouth corner; None where no landmark model ran.
        rejection_reason: why the crop is not good enough to name an expression (``too small``,
            ``blurred``, ``too dark``, ``too bright``, ``turned away``); None when it is good.
        crop: (48, 48) uint8, what quality is judged by and the classifier sees; None until the
            stage has cut it.
    """

    box: BoundingBox
    score: float
    track_id: int | None = None
    landmarks: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    rejection_reason: str | None = None
    crop: GreyImage | None = field(default=None, compare=False)
    tracked: bool = False
    sure: bool = True


@dataclass(frozen=True)
class Classification:
    """The classifier's answer for one face in one frame, before smoothing.

    Attributes:
        face: as this frame shows it.
        probabilities: (7,).
        is_new: False where this frame's crop was not classified and the track's last answer
            is repeated.
    """

    face: Face
    probabilities: Probabilities = field(compare=False)
    is_new: bool = True

    @property
    def expression(self) -> Expression:
        """The most probable class; ``uncertain`` for a rejected face."""
        if self.face.rejection_reason is not None:
            return Expression.UNCERTAIN
        return EXPRESSIONS[int(np.argmax(self.probabilities))]

    @property
    def probability(self) -> float:
        """Probability of the leading class."""
        return float(np.max(self.probabilities))


@dataclass(frozen=True)
class FaceState:
    """What one track shows now, after smoothing.

    Attributes:
        track_id: counts the faces that have appeared.
        expression: the stable expression, or ``uncertain``.
        probability: of it, smoothed, when it was last confirmed; of the leading class for
            ``uncertain``.
        probabilities: (7,) smoothed, now; relative to the face at rest as far as that is known.
        box: in pixels of the frame.
        since_s: monotonic time since when this expression has been stable.
        rejection_reason: why it is uncertain, None when it is not or simply no class leads.
        missing_s: how long ago the face was last seen; 0 when the frame shows it.
        rest_known: how well its face at rest is known, 0 to 1.
    """

    track_id: int
    expression: Expression
    probability: float
    probabilities: Probabilities = field(compare=False)
    box: BoundingBox
    since_s: float
    rejection_reason: str | None = None
    missing_s: float = 0.0
    rest_known: float = 0.0


@dataclass(frozen=True)
class Scene:
    """What is seen now: all tracked faces, largest first."""

    faces: tuple[FaceState, ...]
    frame_width: int
    frame_height: int
    at_s: float

    @property
    def largest(self) -> FaceState | None:
        """The largest face that the frame shows, not one that has just left it."""
        return next((face for face in self.faces if face.missing_s <= 0), None)


@dataclass(frozen=True)
class SyntheticFace:
    """A face as it would look with another expression: made, not seen.

    Attributes:
        image: (side, side) grey or (side, side, 3) RGB uint8; carries the visible mark.
        expression: the one that was asked for.
    """

    image: Image
    expression: Expression


class EventType(str, Enum):
    """What happened to a track."""

    APPEARED = "appeared"
    CHANGED = "changed"
    VANISHED = "vanished"


@dataclass(frozen=True)
class ExpressionEvent:
    """A change worth telling.

    Attributes:
        event_type: appeared, changed or vanished.
        track_id: counts the faces that have appeared; used once.
        expression: what the face shows now (what it last showed, for ``vanished``).
        previous: what it showed before; None for ``appeared``.
        probability: of ``expression``, smoothed, when it was last confirmed; of the leading class
            for ``uncertain``.
        probabilities: (7,) smoothed, when the event was decided.
        duration_ms: how long ``previous`` (for ``vanished``: the whole track) lasted.
        at_s: monotonic time of the frame that decided it.
    """

    event_type: EventType
    track_id: int
    expression: Expression
    previous: Expression | None
    probability: float
    probabilities: Probabilities = field(compare=False)
    duration_ms: int
    at_s: float


class CameraState(str, Enum):
    """What the camera topic and the screen say."""

    ONLINE = "online"
    OFFLINE = "offline"
    PAUSED = "paused"


@dataclass(frozen=True)
class Status:
    """How the appliance itself is, for topics and screen.

    Attributes:
        camera: online, offline or paused.
        problem: the most important thing that is wrong, in one line; None when all is well.
        model: name and version of the model in use.
        detector: kind of the detector in use.
        broker_away: the broker does not answer or refuses us; for the screen.
    """

    camera: CameraState
    problem: str | None = None
    model: str = ""
    detector: str = ""
    broker_away: bool = False
