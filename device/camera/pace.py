"""Real time for sources that could run faster."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Lets ``rate_hz`` pictures a second through, or each after an interval of its own."""

    def __init__(
        self,
        rate_hz: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval_s = 1 / rate_hz
        self._clock = clock
        self._sleep = sleep
        self._last_due_s: float | None = None

    def wait(self, interval_s: float | None = None) -> None:
        """Sleeps until the next picture is due; one that is late is not caught up for.

        Args:
            interval_s: from the last picture to this one; by default what ``rate_hz`` says.
        """
        now_s = self._clock()
        due_s = now_s
        if self._last_due_s is not None:
            due_s = self._last_due_s + (self._interval_s if interval_s is None else interval_s)
        if due_s > now_s:
            self._sleep(due_s - now_s)
        self._last_due_s = max(due_s, now_s)
