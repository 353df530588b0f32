"""Events that wait for the broker: bounded, oldest dropped first and counted.

Events leave in order and stay until the broker has acknowledged them, so they arrive at least
once; ``boot_id`` and ``seq`` let a subscriber drop the second copy. Here are the outbox in memory,
and the SQLite file of the one on disk.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from device.errors import ConfigurationError, StorageError, is_storage_trouble
from device.files import keep_private

log = logging.getLogger("mien.outbox")

LOCK_WAIT_S = 1.0  # while somebody else writes to the file
SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA secure_delete = OFF",  # Debian's default writes freed pages once more
)
TABLES = (
    "CREATE TABLE IF NOT EXISTS event"
    "(number INTEGER PRIMARY KEY, late INTEGER NOT NULL, payload TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS room(filler BLOB)",
    "DELETE FROM room",
)
COLUMNS = [("number", "INTEGER"), ("late", "INTEGER"), ("payload", "TEXT")]


@dataclass(frozen=True)
class KeptEvent:
    """An event in the outbox.

    Attributes:
        number: rises with every event.
        payload: JSON as built when it happened.
        late: true when it was put while the broker was away (or before a restart).
    """

    number: int
    payload: bytes
    late: bool


class Outbox:
    """Keeps events in memory. Put by the loop, emptied by the client's thread.

    No method raises or blocks for long.

    Args:
        max_events: events kept; the oldest go first.
        problem: why not on disk, where that was wanted.

    Attributes:
        dropped: events lost since the start.
        problem: what is wrong, in one line.
    """

    def __init__(self, max_events: int, problem: str | None = None) -> None:
        self.problem, self.dropped = problem, 0
        self._max_events, self._number = max_events, 0
        self._lock = threading.Lock()
        self._events: OrderedDict[int, KeptEvent] = OrderedDict()

    def put(self, payload: bytes, late: bool) -> None:
        """Keeps an event; drops the oldest when full."""
        with self._lock:
            self._keep(payload, late)
            self._bound(self._max_events)

    def after(self, number: int, limit: int) -> list[KeptEvent]:
        """The oldest events with a greater number."""
        with self._lock:  # only the few in flight stand before the wanted ones
            wanted = (event for event in self._events.values() if event.number > number)
            return list(islice(wanted, limit))

    def remove(self, numbers: Collection[int]) -> None:
        """Forgets what the broker has acknowledged."""
        with self._lock:
            for number in numbers:
                self._events.pop(number, None)

    @property
    def depth(self) -> int:
        """Events that wait."""
        return len(self._events)

    @property
    def newest(self) -> int:
        """The number of the event that was put last; 0 before the first."""
        return self._number

    def close(self) -> None:
        """Ends the use."""

    def _keep(self, payload: bytes, late: bool) -> None:
        self._number += 1
        self._events[self._number] = KeptEvent(self._number, payload, late)

    def _bound(self, max_events: int) -> None:
        if len(self._events) > max_events:
            self._events.popitem(last=False)
            self.dropped += 1


def is_event(payload: bytes) -> bool:
    """Whether a row of an earlier start holds what ``put`` writes."""
    try:
        return isinstance(json.loads(payload), dict)
    except (ValueError, TypeError, RecursionError):
        return False


def open_database(path: Path) -> sqlite3.Connection:
    """A connection that never waits for the medium; whoever uses it writes the log through."""
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, check_same_thread=False)
    with _closed_on_failure(db):
        for statement in SETTINGS:
            db.execute(statement)
    return db


@contextmanager
def _closed_on_failure(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:  # a damaged name in the file or in SQLite's message
        db.close()
        raise sqlite3.DatabaseError("a name that is no text") from error
    except sqlite3.Error:
        db.close()
        raise


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        path.touch(0o600)
    for suffix in ("", "-wal", "-shm"):  # they say who was seen when
        keep_private(path.with_name(path.name + suffix))
    db = open_database(path)
    with _closed_on_failure(db):
        with db:
            for statement in TABLES:
                db.execute(statement)
        damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        if [row[1:3] for row in db.execute("PRAGMA table_info(event)")] != COLUMNS:
            raise sqlite3.DatabaseError("another layout")
    return db


def open_event_file(path: Path) -> sqlite3.Connection:
    """Opens or makes the file, and its folder; one that is damaged or foreign is moved aside.

    Raises:
        ConfigurationError: no such folder, no permission: it will not work later either.
        StorageError: the disk is full (of data or of files), read-only or failing, or somebody
            else holds the file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            aside = path.with_name(path.name + ".damaged")
            log.error("outbox %s is damaged (%s); moved to %s", path, error, aside.name)
            path.replace(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return _open(path)
    except (OSError, sqlite3.Error) as error:
        passes = (
            is_storage_trouble(error)
            or "locked" in str(error)
            or _is_read_only(path.parent)
            or ("unable to open" in str(error) and _may_write(path))
        )
        reason = getattr(error, "strerror", None) or error
        raise (StorageError if passes else ConfigurationError)(
            f"outbox.path = {str(path)!r}: cannot use it: {reason}"
        ) from error


def _is_read_only(folder: Path) -> bool:
    """True where the whole file system is; SQLite does not say."""
    with suppress(OSError):
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    return False


def _may_write(path: Path) -> bool:
    """True where file and folder are ours: what SQLite cannot make beside it, it may later.

    Without inodes left it says "unable to open database file", as it does of a wrong place.
    """
    return path.is_file() and os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)
