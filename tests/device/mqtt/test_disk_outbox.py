from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from device.daemon.build_mqtt import make_outbox
from device.mqtt.disk_outbox import DiskOutbox
from device.mqtt.outbox import Outbox
from device.mqtt.payloads import encode
from device.settings import Settings, replace_setting
from tests.device.mqtt.appliance import wait_until


@pytest.fixture(params=["memory", "disk"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    made: Outbox = Outbox(10) if request.param == "memory" else DiskOutbox(tmp_path / "o", 10)
    yield made
    made.close()


def numbers(outbox: Outbox, after: int = 0, limit: int = 1000) -> list[int]:
    return [json.loads(waiting.payload)["n"] for waiting in outbox.after(after, limit)]


def fill(outbox: Outbox, count: int, first: int = 1, **more: Any) -> None:
    for number in range(first, first + count):
        outbox.put(encode({"n": number, **more}), late=False)


def test_events_come_out_in_order_until_removed(outbox: Outbox) -> None:
    fill(outbox, 5)
    assert numbers(outbox) == [1, 2, 3, 4, 5]
    assert numbers(outbox, after=outbox.after(0, 2)[-1].number, limit=2) == [3, 4]
    outbox.remove([waiting.number for waiting in outbox.after(0, 3)])
    assert numbers(outbox) == [4, 5]
    assert outbox.depth == 2


def test_the_oldest_are_dropped_and_counted(outbox: Outbox) -> None:
    fill(outbox, 25)
    assert numbers(outbox) == list(range(16, 26))
    assert (outbox.depth, outbox.dropped) == (10, 15)


def test_lateness_is_kept(outbox: Outbox) -> None:
    outbox.put(b'{"n":1}', late=True)
    outbox.put(b'{"n":2}', late=False)
    assert [waiting.late for waiting in outbox.after(0, 9)] == [True, False]


def test_removing_the_unknown_is_harmless(outbox: Outbox) -> None:
    fill(outbox, 2)
    outbox.remove([99])
    assert outbox.depth == 2


def test_events_survive_a_restart_and_are_late_then(tmp_path: Path) -> None:
    first = DiskOutbox(tmp_path / "o", 10)
    fill(first, 3)
    first.close()
    second = DiskOutbox(tmp_path / "o", 10)
    fill(second, 1, first=4)
    assert [(json.loads(w.payload)["n"], w.late) for w in second.after(0, 9)] == [
        (1, True),
        (2, True),
        (3, True),
        (4, False),
    ]
    second.close()


def test_put_is_quick_enough_for_the_frame_loop(tmp_path: Path) -> None:
    outbox = DiskOutbox(tmp_path / "o", 10_000)
    start = time.thread_time()
    fill(outbox, 500, text="x" * 500)
    assert (time.thread_time() - start) / 500 < 2e-3
    outbox.close()


WRITER = """
import sys
from pathlib import Path
from device.mqtt import disk_outbox
disk_outbox.FOLD_WAIT_S = 60.0  # while the log is folded, events may wait in memory
outbox = disk_outbox.DiskOutbox(Path(sys.argv[1]), 100_000)
number = int(sys.argv[2])
while True:
    number += 1
    outbox.put(b'{"n":%d}' % number, late=True)
    sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
    if number % 3 == 0:
        outbox.remove([w.number for w in outbox.after(0, 1)])
"""


def kill_writer(path: Path, first: int, after_s: float) -> int:
    """Runs a writer, kills it, and returns the last number it has been told is safe."""
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        last = int(writer.stdout.readline())
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().decode().split("\n")
        complete = [int(line) for line in rest[:-1] if line]
    return complete[-1] if complete else last


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_kill_9_loses_nothing_that_was_taken_and_damages_nothing(
    tmp_path: Path, kills: int, record_property: Callable[[str, object], None]
) -> None:
    path, rng, last = tmp_path / "o", random.Random(7), 0
    for _ in range(kills):
        last = kill_writer(path, last, rng.uniform(0.0, 0.2))
        with closing(sqlite3.connect(path)) as db, db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            rows = db.execute("SELECT payload FROM event ORDER BY number").fetchall()
        db.close()
        kept = [int(row[0].split(":")[1].rstrip("}")) for row in rows]
        assert kept[-1] >= last  # the one after the last word may be there, too
        assert kept == list(range(kept[0], kept[-1] + 1))
        last = kept[-1]
    record_property("events", last)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def stuff(path: Path) -> None:
    """Takes all the room there is."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def test_a_full_disk_drops_the_oldest_says_so_and_recovers(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (small_disk / "filler").write_bytes(bytes(4 << 20))
    outbox = DiskOutbox(small_disk / "o", 3000, retry_s=0.1)
    wait_until(lambda: outbox.problem)
    assert "the oldest are dropped" in (outbox.problem or "")
    fill(outbox, 3000, text="x" * 450)
    kept = numbers(outbox, limit=10_000)
    assert 500 < len(kept) < 3000
    assert kept == list(range(3001 - len(kept), 3001))  # the newest, in order, without a gap
    assert outbox.dropped == 3000 - len(kept)
    (small_disk / "filler").unlink()
    wait_until(lambda: outbox.problem is None)
    dropped = outbox.dropped
    fill(outbox, 1000, first=3001, text="x" * 450)
    assert numbers(outbox, limit=10_000) == [*kept, *range(3001, 4001)]
    assert outbox.dropped == dropped
    told = [record.levelname for record in caplog.records]
    assert told == ["ERROR", "WARNING"]  # once each
    outbox.close()


def test_a_disk_that_others_fill_later_costs_no_event(small_disk: Path) -> None:
    outbox = DiskOutbox(small_disk / "o", 2000)
    wait_until(lambda: outbox.has_room)
    stuff(small_disk / "filler")
    for lap in range(3):
        fill(outbox, 2000, first=lap * 2000 + 1, text="x" * 450)
        assert numbers(outbox, limit=10_000) == list(range(lap * 2000 + 1, lap * 2000 + 2001))
    outbox.remove([waiting.number for waiting in outbox.after(0, 10_000)])
    assert (outbox.depth, outbox.problem) == (0, None)
    outbox.close()


def test_removing_many_at_once_takes_no_room(tmp_path: Path) -> None:
    """On a full disk the log cannot grow by all the pages that it takes to delete them."""
    outbox, log = DiskOutbox(tmp_path / "o", 8000), tmp_path / "o-wal"
    wait_until(lambda: outbox.has_room)
    fill(outbox, 8000, text="x" * 450)
    size = log.stat().st_size
    outbox.remove(range(1, 8001))
    assert (outbox.depth, log.stat().st_size) == (0, size)
    outbox.close()


def test_a_read_only_disk_costs_no_start(small_disk: Path) -> None:
    DiskOutbox(small_disk / "o", 10).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    settings = replace_setting(Settings(), "outbox.path", "o")
    outbox = make_outbox(settings, small_disk)
    assert type(outbox) is Outbox
    assert "outbox.path" in (outbox.problem or "")
    fill(outbox, 3)
    assert numbers(outbox) == [1, 2, 3]


def test_a_disk_without_inodes_costs_no_start(small_disk: Path) -> None:
    DiskOutbox(small_disk / "o", 10).close()  # SQLite takes its log away, and makes it anew
    subprocess.run(["mount", "-o", "remount,nr_inodes=2", str(small_disk)], check=True)
    outbox = make_outbox(replace_setting(Settings(), "outbox.path", "o"), small_disk)
    assert type(outbox) is Outbox
    assert "unable to open database file" in (outbox.problem or "")


@contextmanager
def held_by_somebody_else(path: Path) -> Iterator[None]:
    """Nobody can write to the file meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def test_a_lock_costs_no_event_and_is_told_until_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.mqtt.outbox.LOCK_WAIT_S", 0.05)
    outbox = DiskOutbox(tmp_path / "o", 100, retry_s=0.05)
    wait_until(lambda: outbox.has_room)
    fill(outbox, 50)
    with held_by_somebody_else(tmp_path / "o"):
        outbox.remove(range(1, 21))
        assert "locked" in (outbox.problem or "")
        fill(outbox, 1, first=51)
        assert numbers(outbox, limit=20) == list(range(21, 41))  # the removed are in nobody's way
        assert numbers(outbox, after=40) == list(range(41, 52))
    wait_until(lambda: outbox.depth == 31)
    fill(outbox, 1, first=52)
    wait_until(lambda: outbox.problem is None)
    assert numbers(outbox) == list(range(21, 53))
    assert outbox.dropped == 0
    outbox.close()


class SlowCard(sqlite3.Connection):
    """A connection to a file on an SD card that takes long to fold the log, as worn ones do."""

    is_folding, goes_on = threading.Event(), threading.Event()

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if "wal_checkpoint(PASSIVE)" in statement:
            self.is_folding.set()
            self.goes_on.wait(20.0)
        return super().execute(statement, *values)


def test_no_frame_waits_until_a_slow_card_has_folded_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = DiskOutbox(tmp_path / "o", 100)
    wait_until(lambda: outbox.has_room)
    outbox.close()
    monkeypatch.setattr(
        "device.mqtt.disk_outbox.open_database",
        lambda path: sqlite3.connect(path, factory=SlowCard, check_same_thread=False),
    )
    outbox = DiskOutbox(tmp_path / "o", 100)
    fill(outbox, 16)
    assert SlowCard.is_folding.wait(20.0)
    began = time.monotonic()
    fill(outbox, 2, first=17)
    assert time.monotonic() - began < 10.0
    assert numbers(outbox) == list(range(1, 19))
    SlowCard.goes_on.set()
    with closing(sqlite3.connect(tmp_path / "o")) as db:
        wait_until(lambda: db.execute("SELECT count(*) FROM event").fetchone()[0] == 18)
    outbox.close()
