"""A file that an earlier start, another version or somebody else has left."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from device.daemon.build_mqtt import make_outbox
from device.errors import ConfigurationError, StorageError
from device.mqtt import disk_outbox
from device.mqtt.disk_outbox import DiskOutbox
from device.mqtt.outbox import Outbox, open_event_file
from device.mqtt.payloads import as_historical
from device.settings import Settings, replace_setting
from tests.device.mqtt.test_disk_outbox import fill, numbers


def test_a_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(b"this was a database" * 500)
    outbox = DiskOutbox(tmp_path / "o", 10)
    fill(outbox, 1)
    assert numbers(outbox) == [1]
    assert (tmp_path / "o.damaged").exists()
    outbox.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_what_an_older_version_left_readable_for_everybody_becomes_private(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "o"
    with closing(sqlite3.connect(path)) as db:  # it keeps "-wal" and "-shm" in place
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE event(number INTEGER PRIMARY KEY, late INTEGER, payload TEXT)")
        path.with_name(f"o{suffix}").chmod(0o644)
        DiskOutbox(path, 10).close()
        for each in tmp_path.glob("o*"):
            assert each.stat().st_mode & 0o777 == 0o600, each


def test_an_impossible_place_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    with pytest.raises(ConfigurationError, match=r"outbox\.path"):
        DiskOutbox(tmp_path / "file" / "o", 10)


def test_a_folder_in_its_place_is_refused_and_stays_open(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"outbox\.path"):
        DiskOutbox(tmp_path, 10)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "row",
    [
        (1, 0, "no JSON"),
        (1, 0, "[1]"),
        (1, 0, b"\xff\xfe"),
        (1, 0, "[" * 5000),
        (2**63 - 1, 0, '{"n": 0}'),
    ],
)
def test_a_row_that_is_no_event_is_dropped_counted_and_named(
    tmp_path: Path, row: tuple[int, int, object], caplog: pytest.LogCaptureFixture
) -> None:
    first = DiskOutbox(tmp_path / "o", 100)
    fill(first, 3, first=0)
    first.close()
    with closing(sqlite3.connect(tmp_path / "o")) as db, db:
        db.execute("INSERT OR REPLACE INTO event VALUES (?, ?, ?)", row)
    outbox = DiskOutbox(tmp_path / "o", 100)
    fill(outbox, 2, first=3)
    kept = numbers(outbox, limit=1)
    assert kept + numbers(outbox, after=outbox.after(0, 1)[0].number) == (
        [0, 1, 2, 3, 4] if row[0] > 1 else [1, 2, 3, 4]
    )
    assert outbox.dropped == 1
    assert "no events" in caplog.text
    assert outbox.depth == len(numbers(outbox))
    outbox.close()


def test_many_rows_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    DiskOutbox(tmp_path / "o", 5000).close()
    with closing(sqlite3.connect(tmp_path / "o")) as db, db:
        rows = [(n, 0, "no JSON") for n in range(1, 3001)] + [(3001, 0, '{"n": 1}')]
        db.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
    outbox = DiskOutbox(tmp_path / "o", 5000)
    assert numbers(outbox, limit=2) == [1]
    assert (outbox.depth, outbox.dropped) == (1, 3000)
    outbox.close()


def test_an_outbox_of_another_layout_is_moved_aside(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "o")) as db, db:
        db.execute("CREATE TABLE event(id INTEGER PRIMARY KEY, body BLOB)")
    outbox = DiskOutbox(tmp_path / "o", 10)
    fill(outbox, 1)
    assert numbers(outbox) == [1]
    assert (tmp_path / "o.damaged").exists()
    outbox.close()


def test_a_locked_outbox_costs_no_start(tmp_path: Path) -> None:
    DiskOutbox(tmp_path / "o", 10).close()
    with closing(sqlite3.connect(tmp_path / "o", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        outbox = make_outbox(replace_setting(Settings(), "outbox.path", "o"), tmp_path)
        assert type(outbox) is Outbox
        assert "locked" in (outbox.problem or "")


def test_what_an_earlier_version_kept_goes_out_as_historical(tmp_path: Path) -> None:
    first = DiskOutbox(tmp_path / "o", 10)
    first.put(json.dumps({"seq": 1, "historical": False}).encode(), late=False)
    first.close()
    second = DiskOutbox(tmp_path / "o", 10)
    (waiting,) = second.after(0, 9)
    assert waiting.late
    assert json.loads(as_historical(waiting.payload)) == {"seq": 1, "historical": True}
    second.close()


def test_a_file_that_somebody_locks_while_it_is_opened_is_a_trouble_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "o", isolation_level=None)) as other:

        def open_late(path: Path) -> sqlite3.Connection:
            db = open_event_file(path)
            other.execute("BEGIN IMMEDIATE")
            return db

        monkeypatch.setattr(disk_outbox, "open_event_file", open_late)
        with pytest.raises(StorageError, match=r"outbox\.path = .*locked"):
            DiskOutbox(tmp_path / "o", 10)
