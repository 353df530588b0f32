"""systemd's watchdog: READY with the first finished frame, WATCHDOG with the following ones.

Only a finished frame proves that we live, so a hung camera or network call ends in a restart.
Where systemd does not listen, ``NoWatchdog`` takes its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sdnotify

PAT_EVERY_S = 1.0  # systemd's own interval is many times longer


class SystemdWatchdog:
    """Tells systemd how we are.

    Args:
        notifier: where to tell it.
        clock: monotonic.
    """

    def __init__(
        self,
        notifier: sdnotify.SystemdNotifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier or sdnotify.SystemdNotifier()
        self._clock = clock
        self._patted_s: float | None = None

    def pat(self) -> None:
        """A frame was finished."""
        now_s = self._clock()
        if self._patted_s is None:
            self._notifier.notify("READY=1")
        if self._patted_s is None or now_s - self._patted_s >= PAT_EVERY_S:
            self._patted_s = now_s
            self._notifier.notify("WATCHDOG=1")

    def stopping(self) -> None:
        """We are ending on purpose."""
        self._notifier.notify("STOPPING=1")


class NoWatchdog:
    """Where nobody watches: a terminal, a bench, a test."""

    def pat(self) -> None:
        """Nobody to tell."""

    def stopping(self) -> None:
        """Nobody to tell."""
