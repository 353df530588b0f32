"""The demo's broker: quick, on loopback only, gone with the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from device.errors import BrokerError
from device.mqtt import client as client_module
from device.mqtt.access import BrokerAccess, embedded_access
from device.mqtt.client import MqttClient
from device.mqtt.embedded_broker import EmbeddedBroker, _listen
from device.mqtt.packets import Message
from tests.broker import free_port
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.scenes import change
from tests.subscriber import Subscriber


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(free_port())
    yield broker
    broker.close()


def listening_addresses(port: int) -> set[str]:
    """Local addresses that listen on a port, from the kernel's tables (hexadecimal)."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            host, _, hexadecimal = address.partition(":")
            if state == "0A" and int(hexadecimal, 16) == port:
                found.add(host)
    return found


def test_it_carries_events_on_loopback_only(broker: EmbeddedBroker) -> None:
    with Subscriber(broker.port) as subscriber:
        access = embedded_access(broker.port, DEVICE)
        with running_publisher(broker.port, access=access) as publisher:
            publisher.publish(change())
            subscriber.wait_for("event")
        subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"stopped")
    assert listening_addresses(broker.port) == {"0100007F"}


@pytest.mark.parametrize("will", [None, Message("mien/x/availability", b"offline", retain=True)])
def test_mqtt_5_is_refused_at_once(
    broker: EmbeddedBroker, will: Message | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_WITHIN_S", 300.0)  # nobody waits for that
    access = BrokerAccess("127.0.0.1", broker.port, "x", username="hall", password="secret")
    client = MqttClient(access, will=will).start()
    try:
        wait_until(lambda: client.connected)
        assert not client.speaks_5
    finally:
        client.close()


def test_one_that_was_killed_is_started_anew_on_its_port(broker: EmbeddedBroker) -> None:
    port = broker.port
    with running_publisher(port, access=lambda: embedded_access(broker.port, DEVICE)) as publisher:
        wait_until(lambda: publisher.problem is None)
        broker._process.kill()
        wait_until(lambda: publisher.problem)
        wait_until(lambda: publisher.problem is None)
        with Subscriber(port) as subscriber:
            publisher.publish(change())
            subscriber.wait_for("event")


@pytest.mark.parametrize(
    ("subscription", "end", "expected"),
    [("#", "demo/hall/end", [b"good"]), ("demo/hall/+", "demo/hall/end", [b"good"]),
     ("nothing/is/here", "nothing/is/here", [])],
)  # fmt: skip
def test_what_is_retained_comes_once_and_only_to_those_who_asked(
    broker: EmbeddedBroker, subscription: str, end: str, expected: list[bytes]
) -> None:
    with Subscriber(broker.port) as first:
        first.publish("demo/hall/health", b"good", retain=True)
        first.wait_for("health")
        with Subscriber(broker.port, "demo/#") as gone:  # amqtt still knows its subscription
            gone.wait_for("health")
        with Subscriber(broker.port, subscription) as later:
            later.publish(end, b"end")  # comes after all that is retained
            later.wait_for(end.split("/")[-1])
            assert [m.payload for m in later.seen()] == [*expected, b"end"]


def test_one_that_is_closed_while_it_starts_anew_leaves_no_child(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broker.port
    start, closing = broker._start, threading.Thread(target=broker.close)
    anew: list[subprocess.Popen[bytes]] = []

    def start_and_close() -> subprocess.Popen[bytes]:
        anew.append(start())
        closing.start()
        closing.join(0.5)
        return anew[0]

    monkeypatch.setattr(broker, "_start", start_and_close)
    broker._process.kill()
    broker._process.wait()
    with contextlib.suppress(BrokerError):  # closed before it had a port
        assert broker.port
    closing.join(20)
    assert anew[0].poll() is not None


def test_a_taken_port_is_avoided() -> None:
    first, second = EmbeddedBroker(), EmbeddedBroker()
    try:
        assert first.port != second.port
        assert listening_addresses(first.port) == listening_addresses(second.port) != set()
    finally:
        first.close()
        second.close()


def test_it_ends_with_a_daemon_that_was_killed() -> None:
    code = (
        "from device.mqtt.embedded_broker import EmbeddedBroker as B; import time\n"
        f"b = B({free_port()}); print(b.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        port = int(daemon.stdout.readline())
        daemon.kill()
    wait_until(lambda: not listening_addresses(port))


def test_closing_takes_no_time_with_clients_connected(broker: EmbeddedBroker) -> None:
    with Subscriber(broker.port):
        broker.close()
    assert broker._process.returncode == 0  # it was not waited for in vain and killed


def test_two_threads_may_ask_for_the_port_at_once() -> None:
    broker = EmbeddedBroker(free_port())
    with ThreadPoolExecutor(2) as pool:
        try:
            asked = [pool.submit(lambda: broker.port) for _ in range(2)]
            assert len({answer.result(timeout=20) for answer in asked}) == 1
        finally:
            broker.close()  # a thread that still waits for a line gets the end instead


def test_a_port_that_is_asked_for_and_taken_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        broker = EmbeddedBroker(port)
        try:
            for _ in range(2):
                with pytest.raises(BrokerError, match=r"mqtt\.host is empty.* is taken; .*Name it"):
                    assert broker.port
                broker._process.wait()
            assert not caplog.records  # it has not ended: it never ran
            other.close()
            assert broker.port == port
        finally:
            broker.close()


@pytest.mark.parametrize(
    ("code", "told"),
    [(errno.EACCES, "only for root.*mqtt.port"), (errno.EADDRINUSE, "is taken; .*mqtt.host"),
     (errno.EMFILE, "Too many open files")],
)  # fmt: skip
def test_why_a_port_cannot_be_had_is_told(
    monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    """The tests may run as root, whom nothing refuses port 883."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(OSError, match=told):
        asyncio.run(_listen(883))


def test_the_child_runs_nothing_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("amqtt", "queue", "selectors"):
        (tmp_path / f"{name}.py").write_text("import sys; sys.exit('a file of somebody else')\n")
    monkeypatch.chdir(tmp_path)
    broker = EmbeddedBroker(free_port())
    try:
        assert broker.port
    finally:
        broker.close()
