"""Safe mode: nothing can be seen, but the device stays on MQTT and screen and says why.

The loop runs as always, on a camera that only tells the problem. So commands are carried out, and
``reload-model`` or ``restart`` over MQTT can end the trouble.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from device.vocabulary import ExpressionEvent, Frame

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
    """Stands where stage, tracker, classifier and smoother would be.

    A camera without frames leaves only the smoother something to do.
    """

    def update(self, seen: object, now_s: float) -> list[ExpressionEvent]:
        """Nobody is seen."""
        return []

    def clear(self, now_s: float) -> list[ExpressionEvent]:
        """Nobody vanishes."""
        return []
