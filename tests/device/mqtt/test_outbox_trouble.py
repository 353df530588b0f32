"""The outbox on disk when something beside it fails."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from device.daemon.build_mqtt import open_broker_side
from device.daemon.state_file import StateFile
from device.errors import ConfigurationError
from device.mqtt import disk_outbox
from device.mqtt.disk_outbox import DiskOutbox
from device.settings import Settings, replace_setting
from tests.device.mqtt.appliance import wait_until


def test_a_thread_that_cannot_open_the_file_says_so_and_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    with monkeypatch.context() as patch:
        patch.setattr(disk_outbox, "open_database", refuse)
        outbox = DiskOutbox(tmp_path / "outbox", 100, retry_s=0.05)
        wait_until(lambda: "unable to open" in (outbox.problem or ""))
    wait_until(lambda: outbox.has_room and outbox.problem is None)
    outbox.close()


def test_what_is_acknowledged_does_not_count_as_waiting_on_a_disk_that_keeps_it(
    tmp_path: Path,
) -> None:
    outbox = DiskOutbox(tmp_path / "outbox", 100)
    for _ in range(3):
        outbox.put(b'{"historical":false}', late=False)
    wait_until(lambda: outbox.has_room)
    outbox._db.execute("PRAGMA query_only = ON")  # as a disk that has become read-only
    outbox.remove([1, 2])
    assert outbox.depth == 1
    assert [event.number for event in outbox.after(0, 10)] == [3]
    outbox._db.execute("PRAGMA query_only = OFF")
    outbox.close()


def test_a_start_that_fails_leaves_no_outbox_open(tmp_path: Path) -> None:
    settings = Settings()
    for key, value in (
        ("outbox.path", "events"),
        ("mqtt.host", "broker.lan"),
        ("mqtt.password_file", str(tmp_path / "nowhere")),
    ):
        settings = replace_setting(settings, key, value)
    with ExitStack() as stack, pytest.raises(ConfigurationError, match="password_file"):
        open_broker_side(settings, StateFile(tmp_path / "settings.json"), tmp_path, stack)
    assert "outbox" not in {thread.name for thread in threading.enumerate()}
