"""The time by which collected faces grow old, also on a device that never learns it.

Without a network a board without a battery-backed clock begins each day at the same moment, so
nothing would ever be old. While the clock is not synchronised, time goes on from the last known
moment instead: what is switched off each night ages by the hours that it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

STAMP = "%Y%m%dT%H%M%S%fZ"
MAX_AHEAD = timedelta(days=3650)  # of the clock; a moment further on is of a clock that jumped


class CaptureClock:
    """UTC, never behind what it was before a restart.

    Args:
        path: of the file that remembers the moment while the clock is not synchronised.
        now: the board's clock, UTC.
        is_synced: whether it can be trusted.
    """

    def __init__(
        self, path: Path, now: Callable[[], datetime], is_synced: Callable[[], bool]
    ) -> None:
        self._path, self._now, self.is_synced = path, now, is_synced
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """The time."""
        if self.is_synced():  # and should that be lost again, the clock is right all the same
            self._ahead = timedelta()
        return self._now() + self._ahead

    def go_on(self, newest: datetime | None) -> None:
        """Begins where the device ended, or with the newest face.

        Args:
            newest: when that was taken; None without one.
        """
        known = [time for time in (self._saved(), newest) if time]
        ahead = max(known, default=self._now()) - self._now()
        if timedelta() < ahead <= MAX_AHEAD:
            self._ahead = ahead

    def save(self) -> None:
        """Remembers the moment, unless the clock can be trusted.

        Raises:
            OSError: the folder cannot be written.
        """
        if self.is_synced():
            self._path.unlink(missing_ok=True)
        else:
            self._path.write_text(self().strftime(STAMP))

    def _saved(self) -> datetime | None:
        """The moment that was remembered; None without one, or when a power cut damaged it."""
        try:
            return parse_stamp(self._path.read_text("ascii"))
        except (OSError, ValueError):
            return None


def parse_stamp(text: str) -> datetime | None:
    """The UTC time of a stamp; None for an impossible day."""
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
