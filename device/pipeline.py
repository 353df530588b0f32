"""The loop: a frame comes in, expressions go out. Protocols stand above it, no part is named here.

One thread runs the loop. The camera, the broker's client and the screen have threads of their own
and meet it at slots and queues that never block it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Protocol

from device.vocabulary import (
    CameraState,
    Classification,
    EventType,
    ExpressionEvent,
    Face,
    Frame,
    GreyImage,
    Image,
    Scene,
    Status,
)

log = logging.getLogger("mien")

MAX_FAILED_FRAMES = 30  # in a row; then the daemon ends and systemd starts it anew


class Camera(Protocol):
    """A source of frames that looks after itself: newest frame only, reopened when lost."""

    def frames(self) -> Iterator[Frame | None]:
        """Yields the newest frame; None after half a second without one; ends with the source.

        Raises:
            CameraError: the camera stayed away longer than the settings allow.
        """

    @property
    def problem(self) -> str | None:
        """Why there are no frames, in one line; None while there are."""

    @property
    def responsive(self) -> bool:
        """False while a call into the driver hangs: then only a restart helps."""

    @property
    def dropped(self) -> int:
        """Frames replaced by newer ones before the loop took them."""

    def close(self) -> None:
        """Ends it, and with it ``frames``."""


class Stage(Protocol):
    """What is done to a frame and to each face before it is classified."""

    def grey(self, image: Image) -> GreyImage:
        """The frame's picture as (height, width) uint8."""

    def examine(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """The same faces with landmarks, crop and rejection reason."""


class Tracker(Protocol):
    """Decides when to detect and follows faces in between."""

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        """Boxes of this frame's faces with track ids, largest first."""


class Classifier(Protocol):
    """Names expressions."""

    def classify(self, faces: Sequence[Face], now_s: float) -> list[Classification]:
        """One classification a face, in the same order; some may repeat an earlier answer."""


class Smoother(Protocol):
    """Turns flickering answers into stable expressions."""

    def update(
        self, classifications: Sequence[Classification], now_s: float
    ) -> list[ExpressionEvent]:
        """Events that this frame decides."""

    def clear(self, now_s: float) -> list[ExpressionEvent]:
        """Everybody vanishes: ``vanished`` for each face that has appeared."""

    def scene(self, frame: Frame) -> Scene:
        """The stable expressions now."""


class Publisher(Protocol):
    """Tells the broker; queues and returns, never blocks and never raises."""

    def publish(self, event: ExpressionEvent) -> None:
        """An event for every subscriber, kept while the broker is away."""

    def show(self, scene: Scene, status: Status) -> None:
        """The newest state; retained, rate-limited, only when it changed."""

    @property
    def problem(self) -> str | None:
        """What is wrong with the device id, the broker or the outbox, in one line."""

    @property
    def broker_away(self) -> bool:
        """True after a connection failed or was lost, until the broker accepts us again."""


class Display(Protocol):
    """The screen; keeps its own pace and never raises."""

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        """Hands over the newest state (and the frame, for the camera view)."""


class Watchdog(Protocol):
    """systemd's."""

    def pat(self) -> None:
        """A frame was finished (or the camera is being reopened in good order)."""


class Metrics(Protocol):
    """Counts and times for the health report."""

    def frame(self, captured_at_s: float) -> None:
        """Counts a frame."""

    def count(self, name: str) -> None:
        """Adds one to a counter."""

    def timed(self, name: str) -> AbstractContextManager[None]:
        """Times a block."""


def collect_nothing(classifications: Sequence[Classification], now_s: float) -> None:
    """The default: no face is kept."""


def keep_no_pace(took_s: float, now_s: float) -> None:
    """The default: nobody minds how long a frame takes."""


@dataclass
class Parts:
    """Everything the loop drives. Commands, carried out between two frames, may change it.

    Attributes:
        status: what runs; the loop adds the camera's state and problems.
        paused: True while nobody may be watched.
        collect: keeps faces where that is wanted.
        keep_pace: hears what each frame took, s, and when it was done.
    """

    camera: Camera
    stage: Stage
    tracker: Tracker
    classifier: Classifier
    smoother: Smoother
    publisher: Publisher
    display: Display
    watchdog: Watchdog
    metrics: Metrics
    status: Status
    paused: bool = False
    collect: Callable[[Sequence[Classification], float], None] = collect_nothing
    keep_pace: Callable[[float, float], None] = keep_no_pace


def run(
    parts: Parts,
    carry_out: Callable[[Scene, Frame | None], None],
    stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Drives frames through the parts until the source ends or ``stop`` says so.

    A frame that fails is dropped and counted, and logged once a cause.

    Args:
        parts: what it drives.
        carry_out: does what people ask of the device; called before each frame, as is ``stop``,
            with what was seen last and the picture in which it was seen.
        stop: True ends the loop.
        clock: monotonic seconds.

    Raises:
        CameraError: the camera gave up.
        Exception: what failed ``MAX_FAILED_FRAMES`` frames in a row.
    """
    try:
        _drive(parts, carry_out, stop, clock)
    finally:  # each face that has appeared vanishes, however it ends
        for event in parts.smoother.clear(clock()):
            parts.publisher.publish(event)


def _drive(
    parts: Parts,
    carry_out: Callable[[Scene, Frame | None], None],
    stop: Callable[[], bool],
    clock: Callable[[], float],
) -> None:
    """The loop itself."""
    scene, seen = Scene((), 0, 0, clock()), None
    failures, told = 0, set[str]()
    for frame in takewhile(lambda _: not stop(), _frames(parts)):
        try:
            carry_out(scene, seen)
            start_s = clock()
            seen, frame = None, None if parts.paused else frame
            scene = wait_on(parts, scene, clock()) if frame is None else process(parts, frame)
            finish_frame(parts, scene, frame)
            if frame is not None:
                parts.keep_pace(clock() - start_s, clock())
            seen, failures = frame, 0
        except Exception as error:  # one odd frame, whatever it does to a part, ends no daemon
            failures += 1
            parts.metrics.count("failed_frames")
            if (cause := f"{type(error).__name__}: {error}") not in told:
                told.add(cause)
                log.exception("frame dropped: %s", cause)
            if failures >= MAX_FAILED_FRAMES:
                raise
        else:
            if frame is not None or parts.paused or parts.camera.responsive:
                parts.watchdog.pat()


def _frames(parts: Parts) -> Iterator[Frame | None]:
    """Frames of the camera that ``parts`` hold; when one ends, of the one in its place."""
    camera: Camera | None = None
    while camera is not parts.camera:
        camera = parts.camera
        yield from camera.frames()


def process(parts: Parts, frame: Frame) -> Scene:
    """One frame from picture to stable expressions; events go to the publisher."""
    metrics, now_s = parts.metrics, frame.captured_at_s
    metrics.frame(now_s)
    with metrics.timed("grey"):
        image = parts.stage.grey(frame.image)
    with metrics.timed("detect_track"):
        faces = parts.tracker.update(image, now_s)
        faces = parts.stage.examine(image, faces)
    with metrics.timed("classify"):
        classifications = parts.classifier.classify(faces, now_s)
        parts.collect(classifications, now_s)
    with metrics.timed("smooth"):
        events = parts.smoother.update(classifications, now_s)
        scene = parts.smoother.scene(frame)
    with metrics.timed("publish"):
        for event in events:
            parts.publisher.publish(event)
    return scene


def wait_on(parts: Parts, scene: Scene, now_s: float) -> Scene:
    """No frame: each face stays until it has been missing for long enough; when paused, none."""
    smoother = parts.smoother
    events = smoother.clear(now_s) if parts.paused else smoother.update((), now_s)
    for event in events:
        parts.publisher.publish(event)
    gone = {event.track_id for event in events if event.event_type is EventType.VANISHED}
    left = tuple(face for face in scene.faces if face.track_id not in gone)
    return replace(scene, faces=() if parts.paused else left, at_s=now_s)


def find_problem(parts: Parts) -> str | None:
    """The one problem that state, health and screen tell of several: the camera's goes first."""
    return _problem_of_camera(parts) or parts.status.problem or parts.publisher.problem


def _problem_of_camera(parts: Parts) -> str | None:
    """Its own thread sets it: whoever needs it twice keeps it."""
    return None if parts.paused else parts.camera.problem


def finish_frame(parts: Parts, scene: Scene, frame: Frame | None) -> None:
    """Hands the newest state to the broker and the screen."""
    lost = _problem_of_camera(parts)
    camera = CameraState.OFFLINE if lost else CameraState.ONLINE
    camera = CameraState.PAUSED if parts.paused else camera
    problem = lost or parts.status.problem or parts.publisher.problem  # as ``find_problem``
    away = parts.publisher.broker_away
    status = replace(parts.status, camera=camera, problem=problem, broker_away=away)
    with parts.metrics.timed("show"):
        parts.publisher.show(scene, status)
        parts.display.show(scene, status, frame)
