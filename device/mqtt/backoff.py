"""How long to wait before the next try: doubling, with jitter so that a fleet does not march."""

from __future__ import annotations

import random


class Backoff:
    """Delays between attempts.

    Args:
        first_s: the shortest delay.
        most_s: the longest delay.
        rng: source of the jitter.
    """

    def __init__(
        self, first_s: float = 1.0, most_s: float = 60.0, rng: random.Random | None = None
    ) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._rng = rng or random.Random()
        self._next_s = first_s

    def reset(self) -> None:
        """After a success."""
        self._next_s = self._first_s

    def leap(self) -> None:
        """Straight to the longest delay, where trying again soon would do harm."""
        self._next_s = self._most_s

    def next_s(self) -> float:
        """Half to all of the current delay; the one after it is twice as long."""
        delay_s = self._next_s
        self._next_s = min(self._next_s * 2, self._most_s)
        return delay_s * self._rng.uniform(0.5, 1.0)
