"""An outbox in SQLite: what ``put`` has taken survives ``kill -9`` at once, a power cut a moment later.

``put`` commits to the write-ahead log without waiting for the medium, so the frame loop never
stands still for an SD card; a thread of its own then has the log written through (``fsync``)
and folds it into the database now and then. Where folding takes longer than ``FOLD_WAIT_S``,
events wait in memory until it is done. Both files are transactional: whatever the moment of the
cut, they open again.

Room for the events is taken in advance, so a disk that others fill later changes nothing. Where
there is not enough room the outbox is smaller, says so, and grows when there is. This is what
most of the code is for: with SQLite's own folding the log grows to 4 MiB while 8,000 events are
put and removed, and a disk that others have filled takes no event at all; here it keeps its 1 MiB.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
from collections.abc import Collection
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from device.errors import StorageError
from device.mqtt.outbox import KeptEvent, Outbox, is_event, open_database, open_event_file

log = logging.getLogger("mien.outbox")

PAGE_BYTES = 4096
EVENT_BYTES = 1024  # room for one event; they take about half of it
CHUNK_BYTES = 1 << 20  # room is taken in steps, which also makes the log this long for good
SPARE_EVENTS = 64  # a margin for the tree above the rows
FOLD_AFTER = 16  # changes; by the thread
MUST_FOLD_AFTER = 32  # changes; in a burst, by put: at six pages each the log stays in its chunk
FOLD_WAIT_S = 0.25  # put waits so long for it: a few frames
REMOVED_AT_ONCE = 16  # events; each may have a page of its own
MAX_OVERFLOW = 100  # events kept in memory when the disk takes nothing at all
DELETE = "DELETE FROM event WHERE number = ?"
DELETE_OLDEST = (
    "DELETE FROM event WHERE number IN (SELECT number FROM event ORDER BY number LIMIT ?)"
)
MAX_NUMBER = 1 << 53  # far more events than there will be, far from SQLite's largest number
SELECT = "SELECT number, CAST(payload AS BLOB), late OR number <= ? FROM event"


class DiskOutbox(Outbox):
    """Keeps events in a file; in memory is only what the disk does not take.

    Args:
        path: the SQLite file; ``-wal`` and ``-shm`` stand beside it.
        max_events: events kept; the oldest go first.
        retry_s: between looks for room on a full disk.

    Attributes:
        has_room: true once there is room for all events, whoever fills the disk now.

    Raises:
        ConfigurationError: the file cannot be opened or made, nor ever will be.
        StorageError: the disk is full, read-only or failing, or somebody else holds the file.
    """

    def __init__(self, path: Path, max_events: int, retry_s: float = 5.0) -> None:
        super().__init__(max_events)
        self._path, self._retry_s = path, retry_s
        self.has_room = self._closing = False
        self._folding, self._work = threading.RLock(), threading.Event()
        self._gone: set[int] = set()  # acknowledged, but the disk would not let them go
        self._changes = 0  # since the log was folded
        self._db = open_event_file(path)
        try:
            self._take_stock()
        except sqlite3.Error as error:
            self._db.close()
            raise StorageError(f"outbox.path = {str(path)!r}: cannot use it: {error}") from error
        self._thread = threading.Thread(target=self._tend, name="outbox", daemon=True)
        self._thread.start()

    # Outbox

    def put(self, payload: bytes, late: bool) -> None:
        """Keeps an event; drops the oldest when the outbox or the disk is full."""
        with self._lock:
            self._keep(payload, late)
            self._flush()
            self._bound(MAX_OVERFLOW)
        self._work.set()

    def after(self, number: int, limit: int) -> list[KeptEvent]:
        """The oldest events with a greater number."""
        if limit <= 0 or number >= self._number:
            return []
        with self._lock:
            while True:
                found = [
                    each for each in self._read(number, limit) if each.number not in self._gone
                ]
                old = (each for each in found if each.number <= self._late_to)
                bad = [each.number for each in old if not is_event(each.payload)]
                if not bad:
                    more = (each for each in self._events.values() if each.number > number)
                    return list(islice(chain(found, more), limit))
                self._drop(len(bad))
                self._gone.update(bad)
                self._flush()

    def remove(self, numbers: Collection[int]) -> None:
        """Forgets what the broker has acknowledged."""
        with self._lock:
            self._gone.update(n for n in numbers if self._events.pop(n, None) is None)
            self._flush()
        self._work.set()

    @property
    def depth(self) -> int:
        """Events that wait; not those that are acknowledged and that the disk does not let go."""
        return max(0, self._num_rows - len(self._gone)) + super().depth

    def close(self) -> None:
        """Has everything written through and ends; once."""
        if self._closing:
            return
        self._closing = True
        self._work.set()
        self._thread.join(5.0)
        with self._lock:
            self._flush()
            self._db.close()

    # The file, under the lock

    def _take_stock(self) -> None:
        """What lies in the file; whatever is there waited for this start."""
        self._drop(self._db.execute("DELETE FROM event WHERE number > ?", (MAX_NUMBER,)).rowcount)
        self._db.commit()
        row = self._db.execute("SELECT count(*), coalesce(max(number), 0) FROM event").fetchone()
        self._num_rows, self._number = int(row[0]), int(row[1])
        self._late_to = self._number
        self._room = _room(self._db)

    def _read(self, number: int, limit: int) -> list[KeptEvent]:
        query = f"{SELECT} WHERE number > ? ORDER BY number LIMIT ?"
        values = self._late_to, number, limit + len(self._gone)
        try:
            return [
                KeptEvent(n, text, bool(late)) for n, text, late in self._db.execute(query, values)
            ]
        except sqlite3.Error as error:
            self._fail(error)
            return []

    def _drop(self, count: int) -> None:
        if count:
            self.dropped += count
            log.warning("outbox %s: %d rows that are no events are dropped", self._path, count)

    def _flush(self) -> None:
        """Events in memory move to the file, those acknowledged leave it.

        Each transaction is so short that the log has room for it on a full disk. Nothing moves
        while the log is folded for long; the thread does it afterwards.
        """
        if not self._folding.acquire(timeout=FOLD_WAIT_S):
            return
        try:
            while self._events or self._gone:
                if self._changes >= MUST_FOLD_AFTER:
                    self._fold(self._db, "RESTART")
                try:
                    self._write()
                except sqlite3.Error:  # the log may have no room; it begins anew
                    self._fold(self._db, "RESTART")
                    self._write()
        except sqlite3.Error as error:
            self._fail(error)
        finally:
            self._folding.release()

    def _write(self) -> None:
        """One transaction; new events take the place of the oldest."""
        gone = sorted(self._gone)[:REMOVED_AT_ONCE]
        rows = [(w.number, w.late, w.payload.decode()) for w in self._events.values()]
        limit = max(1, min(self._room, self._max_events)) if self.problem else self._max_events
        with self._db as db:
            removed = sum(db.execute(DELETE, (number,)).rowcount for number in gone)
            too_many = max(0, self._num_rows - removed + len(rows) - limit) if rows else 0
            dropped = db.execute(DELETE_OLDEST, (too_many,)).rowcount
            db.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
            db.commit()  # an error here is one of the transaction
        self._events.clear()
        self._gone.difference_update(gone)
        self._num_rows += len(rows) - removed - dropped
        self.dropped += dropped
        self._changes += max(1, len(gone))

    def _fail(self, error: Exception) -> None:
        if self.problem is None:
            self.problem = (
                f"outbox {self._path}: {error}: room for {max(self._room, 0)} of "
                f"{self._max_events} events, the oldest are dropped"
            )
            log.error("%s", self.problem)

    def _fold(self, db: sqlite3.Connection, how: str) -> None:
        """Writes the log into the database; it begins anew if nobody was in the way.

        Nobody writes meanwhile: before 3.51.3 SQLite may damage the file when one connection begins
        the log anew while another folds it (https://www.sqlite.org/wal.html#walresetbug).
        """
        with self._folding:  # SQLite would turn the second one away
            busy, pages, folded = db.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        if not busy and pages == folded:
            self._changes = 0

    # The thread

    def _tend(self) -> None:
        """Writes the log through after every change, folds it when it has grown, takes room."""
        with suppress(sqlite3.Error):  # at the end, or a disk that has gone
            if not (db := self._open_own()):
                return
            try:
                while not self._closing:
                    if not self._turn(db):
                        self._work.wait(self._retry_s if self.problem else None)
                        self._work.clear()
                self._fold(db, "TRUNCATE")
            finally:
                db.close()

    def _open_own(self) -> sqlite3.Connection | None:
        """The thread's own connection, tried until it is there or the outbox closes."""
        while not self._closing:
            try:
                return open_database(self._path)
            except sqlite3.Error as error:
                with self._lock:
                    self._fail(error)
                self._work.wait(self._retry_s)
                self._work.clear()
        return None

    def _turn(self, db: sqlite3.Connection) -> bool:
        """Once round the loop, which no trouble ends; returns whether there is more to do."""
        try:
            with open(f"{self._path}-wal", "rb") as log_file:
                os.fsync(log_file.fileno())
            if self._changes >= FOLD_AFTER:
                self._fold(db, "PASSIVE")
            if not self.problem:
                with self._lock:
                    self._flush()  # what came meanwhile
            try:
                return self._grow(db)
            except (OSError, sqlite3.Error):
                with self._folding, db:
                    db.execute("DELETE FROM room")
                raise
        except (OSError, sqlite3.Error) as error:
            with self._lock:
                self._fail(error)
            return False

    def _grow(self, db: sqlite3.Connection) -> bool:
        """Takes the next step of room if one is missing; returns whether it did."""
        if self._room < self._max_events:
            disk = os.statvfs(self._path.parent)
            spare = max(2 * CHUNK_BYTES, disk.f_blocks * disk.f_frsize // 10)
            if disk.f_bavail * disk.f_frsize < spare:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with self._folding, db:
                db.execute("INSERT INTO room VALUES (zeroblob(?))", (CHUNK_BYTES,))
            self._fold(db, "PASSIVE")
            self._room = _room(db)
            return True
        if not self.has_room:  # once: the thread must not take the lock from put
            with self._folding, db:
                db.execute("DELETE FROM room")  # its pages stay in the file, free
            self.has_room = True
        with self._lock:
            if self.problem:
                self._flush()
            if self.problem and not (self._events or self._gone):
                log.warning("outbox %s: there is room again", self._path)
                self.problem = None
        return False


def _room(db: sqlite3.Connection) -> int:
    """Events that the file has room for."""
    pages: int = db.execute("PRAGMA page_count").fetchone()[0]
    return pages * PAGE_BYTES // EVENT_BYTES - SPARE_EVENTS
