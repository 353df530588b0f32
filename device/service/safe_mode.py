"""Safe mode: nothing can be seen, but the device stays on MQTT and screen and says why.

The loop runs as always, on a camera that only tells the problem; so commands are answered, and
``reload-model`` or ``restart`` can end the trouble from afar.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from device.vocabulary import Classification, ExpressionEvent, Face, Frame, GreyImage, Scene

PERIOD_S = 0.5


class NoCamera:
    """A camera that never sees.

    Args:
        problem: why.
    """

    responsive = True
    dropped = 0

    def __init__(self, problem: str) -> None:
        self.problem: str | None = problem
        self._closing = threading.Event()

    def frames(self) -> Iterator[Frame | None]:
        """None twice a second."""
        while not self._closing.wait(PERIOD_S):
            yield None

    def close(self) -> None:
        """Ends ``frames``."""
        self._closing.set()


class NoTracker:
    """Finds nobody."""

    def update(self, image: GreyImage, now_s: float) -> list[Face]:
        """Nobody."""
        return []


class NoClassifier:
    """Names nothing."""

    def classify(self, image: GreyImage, faces: Sequence[Face]) -> list[Classification]:
        """No answers."""
        return []


class NoSmoother:
    """Settles nothing."""

    def update(
        self, classifications: Sequence[Classification], now_s: float
    ) -> list[ExpressionEvent]:
        """No events."""
        return []

    def scene(self, frame: Frame) -> Scene:
        """Nobody."""
        return Scene((), frame.width, frame.height, frame.captured_at_s)
