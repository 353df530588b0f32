"""Safe mode: nothing can be seen, but the device stays on MQTT and screen and says why.

The loop runs as always, on a camera that only tells the problem. So commands are carried out, and
``reload-model`` or ``restart`` over MQTT can end the trouble.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from device.vocabulary import Classification, Face, Frame, GreyImage, Image, Scene

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


class NoVision:
    """Stands where stage, tracker, classifier and smoother would be: nobody is seen.

    A model that failed in the loop leaves a camera that goes on, so every step is answered.
    """

    def grey(self, image: Image) -> GreyImage:
        """The picture as it is."""
        return image

    def examine(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """Nobody."""
        return []

    def update(self, seen: object, now_s: float) -> list[Any]:
        """No faces for a tracker, no events for a smoother."""
        return []

    def clear(self, now_s: float) -> list[Any]:
        """Nobody vanishes."""
        return []

    def classify(self, faces: Sequence[Face], now_s: float) -> list[Classification]:
        """No answers."""
        return []

    def scene(self, frame: Frame) -> Scene:
        """Nobody."""
        return Scene((), frame.width, frame.height, frame.captured_at_s)
