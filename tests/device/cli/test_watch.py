from __future__ import annotations

import argparse
import io
import json
import threading

import pytest

from device.cli.watch import describe, main, watch
from device.errors import BrokerError, UsageError
from device.mqtt.access import BrokerAccess
from tests.broker import TestBroker, free_port
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.scenes import change

EVENT = {
    "at": "2026-11-23T14:05:09.123Z",
    "event_type": "changed",
    "track_id": 3,
    "expression": "happy",
    "previous": "neutral",
    "probability": 0.914,
}


def test_events_of_a_running_appliance_are_printed(mosquitto: TestBroker) -> None:
    out, stop = io.StringIO(), threading.Event()
    access = BrokerAccess("127.0.0.1", mosquitto.port, "ignored")
    thread = threading.Thread(target=watch, args=(access, "mien", out, stop.is_set))
    thread.start()
    with running_publisher(mosquitto.port) as publisher:
        wait_until(lambda: "availability online" in out.getvalue())
        publisher.publish(change())
        wait_until(lambda: "neutral -> happy 90%" in out.getvalue())
    wait_until(lambda: "availability stopped" in out.getvalue())
    stop.set()
    thread.join(5.0)
    assert DEVICE in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_missing_broker_is_an_error() -> None:
    with pytest.raises(BrokerError, match="nothing listens"):
        watch(BrokerAccess("127.0.0.1", free_port(), "x"), "mien", io.StringIO())


def test_a_line_names_time_device_face_and_change() -> None:
    line = describe("mien/abc/event", json.dumps(EVENT).encode(), colors=False)
    assert line == "14:05:09.123 abc  face 3: neutral -> happy 91%"


def test_colours_only_where_asked_for() -> None:
    payload = json.dumps(EVENT).encode()
    assert describe("mien/abc/event", payload, colors=True).startswith("\x1b[33m")


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 5000, b'{"at":1}', b"\x1b[2J"]
)
def test_rubbish_on_the_topic_is_shown_harmlessly(payload: bytes) -> None:
    assert "\x1b" not in describe("mien/\x1b[2J/event", payload, colors=True)
    assert "\x1b" not in describe("mien/abc/availability", payload, colors=True)


@pytest.mark.parametrize("number", ["1" * 400, "1" * 5000, "1e999", "NaN", '"one"', "[]", "null"])
@pytest.mark.parametrize("key", ["probability", "track_id", "at"])
def test_no_number_of_a_stranger_ends_it(key: str, number: str) -> None:
    wanted = json.dumps({**EVENT, key: "HERE"}).replace('"HERE"', number)
    assert "abc" in describe("mien/abc/event", wanted.encode(), colors=False)


def test_a_broker_that_goes_and_comes_back_is_told(mosquitto: TestBroker) -> None:
    out, stop = io.StringIO(), threading.Event()
    access = BrokerAccess("127.0.0.1", mosquitto.port, "ignored")
    thread = threading.Thread(target=watch, args=(access, "mien", out, stop.is_set))
    with running_publisher(mosquitto.port):
        thread.start()
        wait_until(lambda: "availability online" in out.getvalue())
        mosquitto.kill()
        # soon followed by the next attempt's "nothing listens", which may be all that it sees
        wait_until(lambda: f"broker 127.0.0.1:{mosquitto.port}: " in out.getvalue())
        mosquitto.start()
        wait_until(lambda: "connected again" in out.getvalue())
    stop.set()
    thread.join(5.0)


@pytest.mark.parametrize("address", ["mqtt://user:PASSWORD@host", "user:PASSWORD@host:1883"])
def test_watch_shows_no_password_and_names_its_option(address: str) -> None:
    with pytest.raises(UsageError, match="--broker") as caught:
        main(argparse.Namespace(config=None, broker=address), {})
    assert "PASSWORD" not in str(caught.value)


def test_watch_takes_an_address_of_ipv6() -> None:
    with pytest.raises(BrokerError, match=r"\[::1\]:9:"):  # nothing listens there
        main(argparse.Namespace(config=None, broker="[::1]:9"), {})
