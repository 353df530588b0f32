"""Fakes for what is not here (camera, screen, systemd), behind the pipeline's protocols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from device.daemon.metrics import Metrics
from device.pipeline import Parts
from device.vocabulary import (
    BoundingBox,
    CameraState,
    Classification,
    EventType,
    Expression,
    ExpressionEvent,
    Face,
    Frame,
    GreyImage,
    Scene,
    Status,
)

HAPPY = np.array([0.01, 0.01, 0.01, 0.9, 0.02, 0.02, 0.03], np.float32)
CROP = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48).astype(np.uint8)


def nobody_asks(scene: Scene, frame: Frame | None) -> None:
    """No command has arrived."""


def grey_frame(at_s: float = 0.0) -> Frame:
    return Frame(np.full((48, 64), 128, np.uint8), at_s, "fake")


class FakeCamera:
    """Yields the frames (or Nones) it was given, then ends."""

    def __init__(self, frames: Iterable[Frame | None]) -> None:
        self._frames = frames
        self.problem: str | None = None
        self.responsive = True
        self.dropped = 0
        self.is_closed = False

    def frames(self) -> Iterator[Frame | None]:
        for frame in self._frames:
            if self.is_closed:
                return
            yield frame

    def close(self) -> None:
        self.is_closed = True


class FakeStage:
    def grey(self, image: GreyImage) -> GreyImage:
        return image

    def examine(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        return [replace(face, crop=CROP) for face in faces]


class FakeTracker:
    """One face in the middle; raises on frames captured at the times in ``fails_at``."""

    def __init__(self, fails_at: Sequence[float] = ()) -> None:
        self.fails_at = fails_at

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        if now_s in self.fails_at:
            raise ValueError("odd frame")
        return [Face(BoundingBox(8, 8, 40, 40), 0.9, track_id=1)]


class FakeClassifier:
    def classify(self, faces: Sequence[Face], now_s: float) -> list[Classification]:
        return [Classification(face, HAPPY) for face in faces]


class FakeSmoother:
    """Every frame is an event."""

    def update(
        self, classifications: Sequence[Classification], now_s: float
    ) -> list[ExpressionEvent]:
        return [
            ExpressionEvent(EventType.APPEARED, 1, Expression.HAPPY, None, 0.9, HAPPY, 0, now_s)
            for _ in classifications
        ]

    def clear(self, now_s: float) -> list[ExpressionEvent]:
        return []

    def scene(self, frame: Frame) -> Scene:
        return Scene((), frame.width, frame.height, frame.captured_at_s)


class FakePublisher:
    problem: str | None = None
    broker_away = False

    def __init__(self) -> None:
        self.events: list[ExpressionEvent] = []
        self.shown: list[tuple[Scene, Status]] = []

    def publish(self, event: ExpressionEvent) -> None:
        self.events.append(event)

    def show(self, scene: Scene, status: Status) -> None:
        self.shown.append((scene, status))


class FakeDisplay:
    def __init__(self) -> None:
        self.frames: list[Frame | None] = []
        self.flashes = 0

    def identify(self) -> None:
        self.flashes += 1

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        self.frames.append(frame)


class FakeWatchdog:
    def __init__(self) -> None:
        self.pats = 0

    def pat(self) -> None:
        self.pats += 1


def fake_parts(frames: Iterable[Frame | None], fails_at: Sequence[float] = ()) -> Parts:
    return Parts(
        camera=FakeCamera(frames),
        stage=FakeStage(),
        tracker=FakeTracker(fails_at),
        classifier=FakeClassifier(),
        smoother=FakeSmoother(),
        publisher=FakePublisher(),
        display=FakeDisplay(),
        watchdog=FakeWatchdog(),
        metrics=Metrics(),
        status=Status(CameraState.ONLINE, model="fake"),
    )
