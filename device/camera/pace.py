"""Real time for sources that could run faster."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Lets ``rate_hz`` pictures a second through."""

    def __init__(
        self,
        rate_hz: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval_s = 1 / rate_hz
        self._clock = clock
        self._sleep = sleep
        self._due_s: float | None = None

    def wait(self) -> None:
        """Sleeps until the next picture is due; one that is late is not caught up for."""
        now_s = self._clock()
        due_s = now_s if self._due_s is None else self._due_s
        if due_s > now_s:
            self._sleep(due_s - now_s)
        else:
            due_s = now_s
        self._due_s = due_s + self._interval_s
