"""Safe mode: nothing can be seen, but the device stays on MQTT and screen and says why.

The loop runs as always, on a camera that only tells the problem. So commands are carried out, and
``reload-model`` or ``restart`` over MQTT can end the trouble.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from device.vocabulary import Classification, ExpressionEvent, Face, Frame, GreyImage, Image, Scene

PERIOD_S = 0.5


class NoCamera:
    """A camera that never sees.

    Args:
        problem: why.
        dropped: frames that the camera before it has dropped.
    """

    responsive = True

    def __init__(self, problem: str, dropped: int = 0) -> None:
        self.problem: str | None = problem
        self.dropped = dropped
        self._closing = threading.Event()

    def frames(self) -> Iterator[Frame | None]:
        """None twice a second."""
        while not self._closing.wait(PERIOD_S):
            yield None

    def close(self) -> None:
        """Ends ``frames``."""
        self._closing.set()


def _nobody_is_left(now_s: float) -> list[ExpressionEvent]:
    return []


class NoVision:
    """Stands where stage, tracker, classifier and smoother would be: nobody is seen.

    A model that failed in the loop leaves a frame half done, so every step is answered.

    Args:
        clear: in a smoother's place, that smoother's: who was in view vanishes.
    """

    def __init__(self, clear: Callable[[float], list[ExpressionEvent]] = _nobody_is_left) -> None:
        self._clear = clear

    def grey(self, image: Image) -> GreyImage:
        """The picture as it is."""
        return image

    def examine(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """Nobody."""
        return []

    def update(self, seen: object, now_s: float) -> list[Any]:
        """No faces for a tracker; for a smoother who was in view vanishes."""
        return self.clear(now_s)

    def clear(self, now_s: float) -> list[Any]:
        """Who was in view vanishes, once."""
        events, self._clear = self._clear(now_s), _nobody_is_left
        return events

    def classify(self, faces: Sequence[Face], now_s: float) -> list[Classification]:
        """No answers."""
        return []

    def scene(self, frame: Frame) -> Scene:
        """Nobody."""
        return Scene((), frame.width, frame.height, frame.captured_at_s)
