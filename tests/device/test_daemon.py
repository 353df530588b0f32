"""The whole daemon against a real broker: births, deaths, commands, privacy, safe mode."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.broker import TestBroker
from tests.device.daemon import DEVICE, DaemonProcess, running_daemon
from tests.device.mqtt.appliance import wait_until
from tests.device.mqtt.test_command_queue import fuzzed
from tests.device.mqtt.validation import check_message
from tests.subscriber import Seen, Subscriber

START_S = 120.0  # generous: the machine that tests may be busy
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
KINDS = ("appeared", "changed", "vanished")


def last(seen: list[Seen]) -> bytes:
    return seen[-1].payload


def ask(subscriber: Subscriber, command: str, **body: Any) -> dict[str, Any]:
    """Sends a command and returns its answer."""
    transaction = f"{command}-{random.random()}"
    body["transaction"] = transaction
    subscriber.publish(f"mien/{DEVICE}/command/{command}", json.dumps(body))

    def answered(seen: list[Seen]) -> bool:
        return any(m.json()["transaction"] == transaction for m in seen)

    answers = subscriber.wait_for(f"response/{command}", answered, START_S)
    return next(m.json() for m in answers if m.json()["transaction"] == transaction)


def wait_for_life(subscriber: Subscriber) -> None:
    subscriber.wait_for("event", within_s=START_S)
    subscriber.wait_for("health", within_s=START_S)


def test_the_daemon_from_birth_to_a_clean_end(mosquitto: TestBroker, tmp_path: Path) -> None:
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port) as daemon,
    ):
        wait_for_life(subscriber)
        assert last(subscriber.seen("availability")) == b"online"
        assert ask(subscriber, "set", settings={"smoothing.dwell_s": 0.3})["status"] == "ok"
        assert ask(subscriber, "set", settings={"smoothing.dwell_s": -1})["status"] == "error"
        assert ask(subscriber, "pause")["status"] == "ok"
        subscriber.wait_for("camera", lambda seen: last(seen) == b"paused")
        subscriber.wait_for("state", lambda seen: seen[-1].json()["num_faces"] == 0)
        assert ask(subscriber, "resume")["status"] == "ok"
        subscriber.wait_for("camera", lambda seen: last(seen) == b"online")
        throw_rubbish(subscriber, 300)
        data = ask_patiently(subscriber)
        assert data["settings"]["smoothing.dwell_s"] == 0.3
        assert ask(subscriber, "reload-model")["data"]["model"] == data["model"]
        assert ask(subscriber, "identify")["status"] == "ok"
        subscriber.wait_for("event", has_appeared_twice, START_S)  # the demo's camera wanders
        assert daemon.listening() == []
        assert daemon.stop(signal.SIGTERM) == 0
        subscriber.wait_for("availability", lambda seen: last(seen) == b"stopped")
        own = [m for m in subscriber.seen() if m.topic.startswith(f"mien/{DEVICE}/")]
        own = [m for m in own if not m.name.startswith("command/")]
        for message in own:
            check_message(message)
            assert not message.payload.startswith(PICTURES)
            assert len(message.payload) < 20_000
        assert not any(m.retained for m in own if m.name == "event")
        assert_pairs([m.json() for m in own if m.name == "event"])
        remembered = json.loads((daemon.state_dir / "settings.json").read_text())
        assert remembered["settings"] == {"smoothing.dwell_s": 0.3}
        files = [p for p in tmp_path.rglob("*") if p.is_file()]
        assert {p.name for p in files} <= {"settings.json", "mien.toml", "daemon.log"} | {
            p.name for p in files if p.name.startswith("mosquitto")
        }
        assert "Traceback" not in daemon.log_path.read_text()


def has_appeared_twice(seen: list[Seen]) -> bool:
    """Before the pause and after it."""
    return [m.json()["event_type"] for m in seen].count("appeared") >= 2


def assert_pairs(events: list[dict[str, Any]]) -> None:
    """Each face has appeared once and vanished once, over a pause and the end too."""
    numbers = {kind: [e["track_id"] for e in events if e["event_type"] == kind] for kind in KINDS}
    assert len(numbers["appeared"]) >= 2
    assert sorted(numbers["appeared"]) == sorted(numbers["vanished"])
    assert len(set(numbers["appeared"])) == len(numbers["appeared"])


def test_kill_9_is_told_by_the_last_will(mosquitto: TestBroker, tmp_path: Path) -> None:
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port) as daemon,
    ):
        subscriber.wait_for("availability", lambda seen: last(seen) == b"online", START_S)
        daemon.stop(signal.SIGKILL)
        subscriber.wait_for("availability", lambda seen: last(seen) == b"offline")


def test_a_broken_network_leaves_the_device_on_mqtt_saying_so(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3 and no more")
    more = f'[classifier]\nmodel = "{broken}"\n'
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port, more) as daemon,
    ):
        state = subscriber.wait_for("state", within_s=START_S)[-1].json()
        assert "broken" in state["problem"]
        assert state["camera"] == "offline"
        health = subscriber.wait_for("health", within_s=START_S)[-1].json()
        assert "broken" in health["problem"]
        assert "broken" in ask(subscriber, "reload-model")["error"]
        assert ask(subscriber, "get")["data"]["model"]["name"] == "none"
        for message in subscriber.seen("state") + subscriber.seen("health"):
            check_message(message)
        assert ask(subscriber, "restart")["status"] == "ok"
        assert daemon.process
        assert daemon.process.wait(60.0) == 0
    assert f"{DEVICE} runs: camera demo\n" in daemon.log_path.read_text()


def test_a_missing_camera_is_said_and_commands_are_answered(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    daemon = DaemonProcess(tmp_path, mosquitto.port)
    text = daemon._config.read_text()
    daemon._config.write_text(
        text.replace('source = "demo"', 'source = "v4l2"\ndevice = "/dev/video99"')
    )
    with Subscriber(mosquitto.port) as subscriber:
        daemon.start()
        try:
            subscriber.wait_for("camera", lambda seen: last(seen) == b"offline", START_S)
            subscriber.wait_for("state", names_the_camera, START_S)
            assert ask(subscriber, "get")["status"] == "ok"
        finally:
            assert daemon.stop() == 0


def names_the_camera(seen: list[Seen]) -> bool:
    """The first states may have come before the camera's thread found out."""
    return "/dev/video99" in (seen[-1].json()["problem"] or "")


def throw_rubbish(subscriber: Subscriber, count: int) -> None:
    """Fuzzed commands, none of which is a valid one that would change the test."""
    rng = random.Random(count)
    for number in range(count):
        name, payload = fuzzed(rng)
        if name not in ("restart", "pause", "set") and "\0" not in name:
            subscriber.send(f"mien/{DEVICE}/command/{name}", payload)
        if number % 1000 == 999:
            subscriber.publish(f"mien/{DEVICE}/command/get", "{}")  # waits for the broker


def ask_patiently(subscriber: Subscriber) -> dict[str, Any]:
    """``get`` again and again until the flood is over and the limit on it lets one through."""
    found: list[dict[str, Any]] = []

    def answered() -> bool:
        subscriber.publish(f"mien/{DEVICE}/command/get", '{"transaction": "patient"}')
        time.sleep(0.5)
        answers = [m.json() for m in subscriber.seen("response/get")]
        found.extend(a["data"] for a in answers if a["transaction"] == "patient" and "data" in a)
        return bool(found)

    wait_until(answered, 120.0)
    return found[-1]


@pytest.mark.slow
def test_rubbish_sent_to_the_daemon_leaves_it_answering(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port) as daemon,
    ):
        wait_for_life(subscriber)
        before_mb = daemon.memory_mb()
        throw_rubbish(subscriber, 100_000)
        ask_patiently(subscriber)
        assert daemon.memory_mb() < before_mb + 60  # 250 MB of rubbish went through
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log_path.read_text()


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_kill_9_of_the_daemon_damages_neither_outbox_nor_settings(
    mosquitto: TestBroker,
    tmp_path: Path,
    kills: int,
    record_property: Callable[[str, object], None],
) -> None:
    outbox, rng = tmp_path / "outbox.db", random.Random(5)
    more = f'[outbox]\npath = "{outbox}"\n[smoothing]\ndwell_s = 0\nrefractory_s = 0\n'
    mosquitto.kill()
    kept = 0
    for _ in range(kills):
        with running_daemon(tmp_path, mosquitto.port, more) as daemon:
            # first start and first event take a moment; then any moment will do
            wait_until(lambda kept=kept: count_events(outbox) > kept, START_S)  # type: ignore[misc]
            time.sleep(rng.uniform(0.0, 0.5))
            daemon.stop(signal.SIGKILL)
        json.loads((daemon.state_dir / "settings.json").read_text())
        events = read_events(outbox)
        assert len(events) > kept
        kept = len(events)
        by_boot: dict[str, list[int]] = {}
        for event in events:
            by_boot.setdefault(event["boot_id"], []).append(event["seq"])
        for seqs in by_boot.values():
            assert seqs == list(range(1, len(seqs) + 1))
    mosquitto.start()
    with Subscriber(mosquitto.port) as subscriber, running_daemon(tmp_path, mosquitto.port, more):
        ids = [(event["boot_id"], event["seq"]) for event in read_events(outbox)][:kept]

        def all_there(seen: list[Seen]) -> bool:
            found = {(m.json()["boot_id"], m.json()["seq"]) for m in seen}
            return found.issuperset(ids)

        seen = subscriber.wait_for("event", all_there, START_S)
    first = [(m.json()["boot_id"], m.json()["seq"]) for m in seen][: len(ids)]
    assert first == ids
    record_property("events", len(ids))
    assert all(m.json()["historical"] for m in seen[: len(ids)])


def read_events(path: Path) -> list[dict[str, Any]]:
    """The outbox's events, after a check of the file."""
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        rows = db.execute("SELECT payload FROM event ORDER BY number").fetchall()
    db.close()
    return [json.loads(row[0]) for row in rows]


def count_events(path: Path) -> int:
    try:
        return len(read_events(path)) if path.exists() else 0
    except sqlite3.OperationalError:  # just being made
        return 0
