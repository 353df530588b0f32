"""Wall-clock time for payloads: a monotonic reading becomes RFC 3339 UTC.

A Raspberry Pi before the 5 has no battery clock: until NTP has set it, its time is wrong.
``synced`` asks systemd-timesyncd's mark and the kernel, whichever daemon sets the clock.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
TIMEX_BYTES = 512  # more than struct timex on any Linux
TIMESYNCD_SAYS_SO = Path("/run/systemd/timesync/synchronized")
RECHECK_S = 10.0


def clock_is_synced() -> bool:
    """True when NTP (or another discipline) has set the clock."""
    if TIMESYNCD_SAYS_SO.exists():
        return True
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (AttributeError, OSError):
        return False
    return 0 <= state < TIME_ERROR


class WallClock:
    """Translates the monotonic clock.

    Args:
        monotonic: the clock that ``at_s`` values come from.
        wall: seconds since 1970.
        is_synced: whether ``wall`` can be trusted.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        is_synced: Callable[[], bool] = clock_is_synced,
    ) -> None:
        self._monotonic, self._wall, self._is_synced = monotonic, wall, is_synced
        self._synced, self._checked_s = False, float("-inf")

    def now_s(self) -> float:
        """The monotonic clock."""
        return self._monotonic()

    def rfc3339(self, at_s: float) -> str:
        """``2026-11-23T14:05:09.123Z`` of a monotonic reading."""
        wall_s = self._wall() - (self._monotonic() - at_s)
        moment = datetime.fromtimestamp(wall_s, tz=timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def synced(self) -> bool:
        """Whether the wall clock has been set; asked again after a while."""
        now_s = self._monotonic()
        if now_s - self._checked_s >= RECHECK_S:
            self._synced, self._checked_s = self._is_synced(), now_s
        return self._synced
