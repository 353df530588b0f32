"""Keeps the pace on a board that is too slow or too hot, and goes back when it is not.

It looks at what a frame takes and at the board's own word. For a while too much, and faces are
looked at less often; still too much, and the expression model gives way to the small one. Each
step back waits until all has been well for longer; one that proves too early doubles the wait.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MEAN_S = 3.0  # time constant of the mean load
TOO_MUCH, LITTLE = 0.95, 0.6  # share of the camera's period that a frame takes
MOST = 2.0  # a load above it counts as this: one very slow frame is soon forgotten
HOT_C, COOL_C = 80.0, 75.0  # a Raspberry Pi slows itself down from 80 °C on
RAISE_AFTER_S = 5.0
LOWER_AFTER_S = 60.0
MAX_PATIENCE_S = 1800.0


@dataclass(frozen=True)
class Pace:
    """One step.

    Attributes:
        name: as the health report has it.
        slowness: by which the intervals of detection and classification grow.
        small_model: the expression model gives way to the small one.
        words: what it means, for people; nothing when all is normal.
    """

    name: str
    slowness: float
    small_model: bool
    words: str = ""


PACES = (
    Pace("normal", 1.0, False),
    Pace("slower", 2.0, False, "faces are looked at less often"),
    Pace("small model", 2.0, True, "the small model names expressions, less often"),
)


class Governor:
    """Chooses the pace.

    Args:
        period_s: between two frames of the camera.
        use: puts a pace into effect, with the reason (None when all is well).
    """

    def __init__(self, period_s: float, use: Callable[[Pace, str | None], None]) -> None:
        self._period_s, self._use = period_s, use
        self._lock = threading.Lock()
        self._throttled, self._hot = False, False
        self._load = 0.0
        self._dropped = self._step = 0
        self._frame_s: float | None = None
        self._bad_since_s: float | None = None
        self._good_since_s: float | None = None
        self._dropped_s = self._lowered_s = -math.inf
        self._patience_s = LOWER_AFTER_S

    @property
    def pace(self) -> Pace:
        """The one in effect."""
        return PACES[self._step]

    def hear(self, report: Mapping[str, Any]) -> None:
        """Takes the board's word from a health report; any thread may call it."""
        temperature_c = report["temperature_c"]
        with self._lock:
            self._throttled = bool(report["throttled"])
            if temperature_c is not None:
                self._hot = temperature_c >= (COOL_C if self._hot else HOT_C)

    def frame(self, took_s: float, now_s: float, dropped: int) -> None:
        """Takes what a frame took; called in the loop's thread.

        Args:
            took_s: from picture to published state.
            now_s: monotonic.
            dropped: frames of the camera that nobody has taken, since the start.
        """
        elapsed_s = 0.0 if self._frame_s is None else max(0.0, now_s - self._frame_s)
        self._frame_s = now_s
        gain = 1 - math.exp(-elapsed_s / MEAN_S)
        self._load += gain * (min(took_s / self._period_s, MOST) - self._load)
        if dropped > self._dropped:
            self._dropped, self._dropped_s = dropped, now_s
        with self._lock:
            board = "the board slows itself down" if self._throttled else None
            board = board or ("the board is hot" if self._hot else None)
        # A camera slower than asked for drops nothing, and then there is no hurry.
        behind = self._load > TOO_MUCH and now_s - self._dropped_s < RAISE_AFTER_S
        reason = board or ("frames take longer than the camera's pace" if behind else None)
        bad, good = reason is not None, board is None and self._load < LITTLE
        self._bad_since_s = _since(self._bad_since_s, bad, now_s)
        self._good_since_s = _since(self._good_since_s, good, now_s)
        if _lasts(self._bad_since_s, RAISE_AFTER_S, now_s) and self._step < len(PACES) - 1:
            if now_s - self._lowered_s < self._patience_s:
                self._patience_s = min(2 * self._patience_s, MAX_PATIENCE_S)
            self._go(self._step + 1, reason)
        elif _lasts(self._good_since_s, self._patience_s, now_s) and self._step > 0:
            self._lowered_s = now_s
            self._go(self._step - 1, None)
        elif self._step == 0 and now_s - self._lowered_s >= 2 * self._patience_s:
            self._patience_s = LOWER_AFTER_S

    def _go(self, step: int, reason: str | None) -> None:
        self._step = step
        self._bad_since_s = self._good_since_s = None
        self._use(PACES[step], reason)


def _since(since_s: float | None, is_so: bool, now_s: float) -> float | None:
    """Since when something has been so."""
    if not is_so:
        return None
    return now_s if since_s is None else since_s


def _lasts(since_s: float | None, long_s: float, now_s: float) -> bool:
    return since_s is not None and now_s - since_s >= long_s
