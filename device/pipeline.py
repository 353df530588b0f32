"""The protocols at the edges and the loop that joins them.

Stages know these protocols, never each other; ``__main__`` makes the parts. One thread runs
the loop; cameras, the broker's client and the screen have their own and meet it at slots and
queues that never block it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from device.service.metrics import Metrics
from device.vision.preprocess import to_grey
from device.vocabulary import (
    CameraState,
    Classification,
    EventType,
    ExpressionEvent,
    Face,
    Frame,
    GreyImage,
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
        """Stops the capture and frees the device."""


class FaceDetector(Protocol):
    """Finds faces in a whole frame."""

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first, without track ids."""


class Tracker(Protocol):
    """Decides when to detect and follows faces in between."""

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        """Faces of this frame with track ids (and landmarks and rejection reason where known)."""


class Classifier(Protocol):
    """Names expressions."""

    def classify(self, image: GreyImage, faces: Sequence[Face]) -> list[Classification]:
        """One batched call; one classification a face, in the same order."""


class Smoother(Protocol):
    """Turns flickering answers into settled expressions."""

    def update(
        self, classifications: Sequence[Classification], now_s: float
    ) -> list[ExpressionEvent]:
        """Events that this frame decides."""

    def scene(self, frame: Frame) -> Scene:
        """What is settled now."""


class Publisher(Protocol):
    """Tells the network; queues and returns, never blocks and never raises."""

    def publish(self, event: ExpressionEvent) -> None:
        """An event for every subscriber, kept while the broker is away."""

    def show(self, scene: Scene, status: Status) -> None:
        """The newest state; retained, rate-limited, only when it changed."""

    @property
    def problem(self) -> str | None:
        """What is wrong with the broker or the outbox, in one line."""

    def close(self) -> None:
        """Says ``stopped`` and disconnects."""


class Display(Protocol):
    """The screen; keeps its own pace and never raises."""

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        """Hands over the newest state (and the frame, for the camera view)."""

    def close(self) -> None:
        """Gives the screen back."""


class Control(Protocol):
    """What people ask of the running daemon (commands over MQTT)."""

    @property
    def paused(self) -> bool:
        """True while nobody may be watched."""

    def apply_pending(self, scene: Scene, frame: Frame | None) -> None:
        """Carries out what has arrived since the last frame."""


class Watchdog(Protocol):
    """systemd's."""

    def pat(self) -> None:
        """A frame was finished (or the camera is being reopened in good order)."""


@dataclass
class Parts:
    """Everything the loop drives; ``control`` may replace tracker and classifier."""

    camera: Camera
    tracker: Tracker
    classifier: Classifier
    smoother: Smoother
    publisher: Publisher
    display: Display
    control: Control
    watchdog: Watchdog
    metrics: Metrics
    status: Status


def run(
    parts: Parts, stop: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> None:
    """Drives frames through the parts until the source ends or ``stop`` says so.

    One bad frame is logged once per cause, dropped and counted.

    Raises:
        CameraError: the camera gave up.
        Exception: what failed ``MAX_FAILED_FRAMES`` frames in a row.
    """
    scene = Scene((), 0, 0, clock())
    failures, told = 0, set[str]()
    for frame in parts.camera.frames():
        if stop():
            return
        parts.control.apply_pending(scene, frame)
        if frame is None or parts.control.paused:
            scene = wait_on(parts, scene, clock())
            finish_frame(parts, scene, None)
            if parts.control.paused or parts.camera.responsive:
                parts.watchdog.pat()
            continue
        try:
            scene = process(parts, frame)
            failures = 0
        except Exception as error:
            failures += 1
            parts.metrics.count("failed_frames")
            cause = f"{type(error).__name__}: {error}"
            if cause not in told:
                told.add(cause)
                log.exception("frame dropped: %s", cause)
            if failures >= MAX_FAILED_FRAMES:
                raise
            continue
        finish_frame(parts, scene, frame)
        parts.watchdog.pat()


def wait_on(parts: Parts, scene: Scene, now_s: float) -> Scene:
    """No frame: each face stays until it has been missing for long enough, when paused none does."""
    events = parts.smoother.update((), now_s)
    for event in events:
        parts.publisher.publish(event)
    gone = {event.track_id for event in events if event.event_type is EventType.VANISHED}
    left = tuple(face for face in scene.faces if face.track_id not in gone)
    return replace(scene, faces=() if parts.control.paused else left, at_s=now_s)


def process(parts: Parts, frame: Frame) -> Scene:
    """One frame through tracker, classifier and smoother; events go to the publisher."""
    metrics = parts.metrics
    metrics.frame(frame.captured_at_s)
    with metrics.stage("grey"):
        image = to_grey(frame.image)
    with metrics.stage("detect_track"):
        faces = parts.tracker.update(image, frame.captured_at_s)
    with metrics.stage("classify"):
        classifications = parts.classifier.classify(image, faces)
    with metrics.stage("smooth"):
        events = parts.smoother.update(classifications, frame.captured_at_s)
        scene = parts.smoother.scene(frame)
    with metrics.stage("publish"):
        for event in events:
            parts.publisher.publish(event)
    return scene


def finish_frame(parts: Parts, scene: Scene, frame: Frame | None) -> None:
    """Hands the newest state to the network and the screen."""
    camera = CameraState.ONLINE
    problem = parts.status.problem or parts.publisher.problem
    if parts.control.paused:
        camera = CameraState.PAUSED
    elif parts.camera.problem:
        camera, problem = CameraState.OFFLINE, parts.camera.problem
    status = replace(parts.status, camera=camera, problem=problem)
    with parts.metrics.stage("show"):
        parts.publisher.show(scene, status)
        parts.display.show(scene, status, frame)
