"""The SQLite file under the disk outbox: how it is opened, and what becomes of a damaged one."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from device.errors import ConfigurationError, StorageError, is_storage_trouble

log = logging.getLogger("mien.outbox")

TABLES = (
    "CREATE TABLE IF NOT EXISTS event"
    "(number INTEGER PRIMARY KEY, late INTEGER NOT NULL, payload TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS room(filler BLOB)",
    "DELETE FROM room",
)


def open_event_file(path: Path) -> sqlite3.Connection:
    """Opens or makes the file, and its folder; a damaged one is moved aside.

    Raises:
        ConfigurationError: no such folder, no permission: it will not work later either.
        StorageError: the disk is full, read-only or failing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _open_or_replace(path)
    except (OSError, sqlite3.Error) as error:
        trouble = is_storage_trouble(error) or is_read_only(path.parent)  # SQLite does not say
        kind = StorageError if trouble else ConfigurationError
        reason = getattr(error, "strerror", None) or error
        raise kind(f"outbox.path = {str(path)!r}: cannot use it: {reason}") from error


def is_read_only(folder: Path) -> bool:
    """True where the whole file system is."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _open_or_replace(path: Path) -> sqlite3.Connection:
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


def connect(path: Path) -> sqlite3.Connection:
    """A connection that never waits for the medium; whoever uses it writes the log through."""
    db = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA secure_delete = OFF")  # Debian's default writes freed pages once more
    except sqlite3.Error:
        db.close()
        raise
    return db


def _open(path: Path) -> sqlite3.Connection:
    db = connect(path)
    try:
        with db:
            for statement in TABLES:
                db.execute(statement)
        damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
    except sqlite3.Error:
        db.close()
        raise
    return db
