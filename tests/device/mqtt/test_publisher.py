"""The publisher against a real broker, which gets killed on the way."""

from __future__ import annotations

import logging
import socket
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.payloads import encode
from device.vocabulary import Expression
from tests.broker import Mosquitto, TestBroker, free_port
from tests.device.mqtt.appliance import DEVICE, Gate, running_publisher, wait_until
from tests.device.mqtt.validation import check_message
from tests.scenes import ONLINE, change, scene_with
from tests.strict_broker import StrictBroker
from tests.subscriber import Subscriber


def test_every_topic_arrives_and_validates(mosquitto: TestBroker) -> None:
    with Subscriber(mosquitto.port) as subscriber:
        with running_publisher(mosquitto.port) as publisher:
            publisher.show(scene_with(Expression.HAPPY, Expression.UNCERTAIN), ONLINE)
            publisher.publish(change())
            publisher.publish(change(previous=None))
            subscriber.wait_for("state")
            subscriber.wait_for("event", lambda seen: len(seen) == 2)
        subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"stopped")
        for seen in subscriber.seen():
            assert seen.topic.startswith(f"mien/{DEVICE}/")
            check_message(seen)
    assert {s.name for s in subscriber.seen()} == {"availability", "camera", "state", "event"}


def test_state_is_retained_and_events_never_are(mosquitto: TestBroker) -> None:
    with running_publisher(mosquitto.port) as publisher, Subscriber(mosquitto.port) as early:
        publisher.show(scene_with(Expression.SAD), ONLINE)
        publisher.publish(change())
        early.wait_for("event")
        early.wait_for("state")
        with Subscriber(mosquitto.port) as late:
            state = late.wait_for("state")[0]
            assert state.retained
            assert state.json()["expression"] == "sad"
            assert {s.name for s in late.seen()} <= {"availability", "camera", "state"}
            assert not late.seen("event")


def test_a_clean_end_says_stopped_and_a_killed_connection_offline(mosquitto: TestBroker) -> None:
    with Subscriber(mosquitto.port) as subscriber:
        with running_publisher(mosquitto.port):
            subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"online")
        subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"stopped")
        time.sleep(0.2)  # were there a will to come, it would
        assert subscriber.seen("availability")[-1].payload == b"stopped"


def test_everything_is_said_again_to_a_broker_that_forgot(mosquitto: TestBroker) -> None:
    with running_publisher(mosquitto.port) as publisher:
        publisher.show(scene_with(Expression.SURPRISE), ONLINE)
        wait_until(lambda: publisher.connected)
        mosquitto.kill()
        wait_until(lambda: not publisher.connected)
        publisher.publish(change(track_id=7))
        mosquitto.start()
        with Subscriber(mosquitto.port) as subscriber:
            subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"online")
            assert subscriber.wait_for("state")[0].json()["expression"] == "surprise"
            subscriber.wait_for("camera")


def test_an_event_of_the_outage_keeps_its_time_and_is_historical(mosquitto: TestBroker) -> None:
    port = mosquitto.port
    gate = Gate(port)
    with Subscriber(port) as subscriber, running_publisher(port, access=gate) as publisher:
        wait_until(lambda: publisher.connected)
        publisher.publish(change(track_id=1))
        subscriber.wait_for("event")
        wait_until(lambda: publisher.outbox.depth == 0)  # what is not acknowledged comes twice
        gate.close()
        mosquitto.kill()
        subscriber.wait_cut_off()
        wait_until(lambda: not publisher.connected)
        before = datetime.now(timezone.utc)
        publisher.publish(change(track_id=2))
        after = datetime.now(timezone.utc)
        mosquitto.start()
        subscriber.wait_subscribed()
        gate.open()
        seen = subscriber.wait_for("event", lambda seen: len(seen) == 2)
    first, late = (message.json() for message in seen)
    assert (first["historical"], late["historical"]) == (False, True)
    assert (first["seq"], late["seq"]) == (1, 2)
    assert late["track_id"] == 2
    at = datetime.fromisoformat(late["at"].replace("Z", "+00:00"))
    rounding = timedelta(milliseconds=50)  # and a clock that is being set
    assert before - rounding < at < after + rounding


def test_retained_state_of_a_reconnect_triggers_no_event(mosquitto: TestBroker) -> None:
    with running_publisher(mosquitto.port) as publisher:
        publisher.show(scene_with(Expression.HAPPY), ONLINE)
        wait_until(lambda: publisher.connected)
        mosquitto.kill()
        wait_until(lambda: not publisher.connected)
        mosquitto.start()
        with Subscriber(mosquitto.port) as subscriber:
            subscriber.wait_for("state")
            time.sleep(0.2)
            assert not subscriber.seen("event")


def test_no_broker_is_one_line_and_no_hindrance(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with caplog.at_level(logging.INFO), running_publisher(port) as publisher:
        wait_until(lambda: caplog.records)
        start = time.perf_counter()
        for number in range(100):
            publisher.publish(change(track_id=number))
            publisher.show(scene_with(Expression.HAPPY, at_s=float(number)), ONLINE)
        assert time.perf_counter() - start < 1.0
        wait_until(lambda: "nothing listens" in (publisher.problem or ""))
        time.sleep(0.5)  # several more attempts
    told = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert len([line for line in told if f"127.0.0.1:{port}" in line]) == 1


def test_a_refused_connection_is_not_taken_for_a_good_one(
    real_mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    real_mosquitto.kill()
    config = real_mosquitto._config
    config.write_text(config.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    real_mosquitto.start()
    with caplog.at_level(logging.WARNING), running_publisher(real_mosquitto.port) as publisher:
        wait_until(lambda: "refuses" in (publisher.problem or ""))
        assert not publisher.connected
        assert "mqtt.username" in (publisher.problem or "")


@pytest.mark.parametrize("protocol", ["5", "3.1.1", "auto"])
def test_both_protocol_versions_work(real_mosquitto: Mosquitto, protocol: str) -> None:
    access = BrokerAccess("127.0.0.1", real_mosquitto.port, "mien-x", protocol=protocol)
    port = real_mosquitto.port
    with Subscriber(port) as subscriber, running_publisher(port, access=access) as publisher:
        publisher.publish(change())
        subscriber.wait_for("event")
    log = real_mosquitto.log_path.read_text()
    assert f"as mien-x (p{2 if protocol == '3.1.1' else 5}" in log


def test_publishing_never_waits_for_the_network(mosquitto: TestBroker) -> None:
    with running_publisher(mosquitto.port) as publisher:
        wait_until(lambda: publisher.connected)
        event = change()
        start = time.thread_time()
        for _ in range(1000):
            publisher.publish(event)
        assert (time.thread_time() - start) / 1000 < 1e-3
        wait_until(lambda: publisher.outbox.depth == 0)


def test_after_a_clean_end_nobody_is_shown_any_more(mosquitto: TestBroker) -> None:
    with running_publisher(mosquitto.port) as publisher:
        publisher.show(scene_with(Expression.HAPPY), ONLINE)
        wait_until(lambda: publisher.connected)
    with Subscriber(mosquitto.port) as subscriber:
        state = subscriber.wait_for("state")[-1]
        check_message(state)
        assert (state.json()["num_faces"], state.json()["camera"]) == (0, "offline")
        assert subscriber.wait_for("camera")[-1].payload == b"offline"


def test_an_embedded_broker_that_did_not_start_is_one_line_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def find() -> BrokerAccess:
        raise BrokerError("the embedded broker did not start: port 1883 is taken")

    with running_publisher(0, access=find) as publisher:
        wait_until(lambda: "did not start" in (publisher.problem or ""))
    assert [record.exc_info for record in caplog.records] == [None]


def test_a_broker_that_stops_acknowledging_is_left_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It accepts connections and reads, and says nothing more."""
    connack = b"\x20\x03\x00\x00\x00"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        access = BrokerAccess("127.0.0.1", port, "mien-x", protocol="5", ack_within_s=0.2)
        with running_publisher(port, access=access) as publisher:
            publisher.publish(change())
            for _ in range(2):
                stream, _ = server.accept()
                with stream:
                    stream.sendall(connack)
                    while stream.recv(4096):
                        pass
            assert publisher.outbox.depth == 1
            server.close()
    assert "no acknowledgement within 0.2 s" in caplog.text


def switches_of_the_client() -> int:
    """How often its thread has waited."""
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "mqtt")
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("voluntary_ctxt"))
    return int(line.split()[1])


def test_frames_that_change_nothing_do_not_wake_the_client(mosquitto: TestBroker) -> None:
    with running_publisher(mosquitto.port) as publisher, Subscriber(mosquitto.port) as subscriber:
        publisher.show(scene_with(Expression.HAPPY, at_s=0.0), ONLINE)
        subscriber.wait_for("state")
        before = switches_of_the_client()
        for _ in range(100):
            publisher.show(scene_with(Expression.HAPPY, at_s=0.1), ONLINE)
            time.sleep(0.002)  # so that each wake-up would be one
        assert switches_of_the_client() - before < 50


def test_another_device_with_the_same_id_is_a_problem_of_the_publisher(
    mosquitto: TestBroker,
) -> None:
    """So state and screen tell it, as health does."""
    with running_publisher(mosquitto.port) as publisher:
        wait_until(lambda: publisher.connected)
        assert publisher.problem is None
        for boot_id in (publisher.identity.boot_id, "another's"):
            payload = encode({"boot_id": boot_id})
            publisher.duplicates.receive(publisher.topics("health"), payload, False)
        assert "another appliance publishes" in (publisher.problem or "")


def test_a_picture_is_said_over_the_connection_of_now_or_never() -> None:
    said: list[bool] = []
    with (
        StrictBroker() as broker,
        running_publisher(
            broker.port, prepare=lambda early: said.append(early.say_picture(b"\x89PNG before"))
        ) as publisher,
    ):
        wait_until(lambda: publisher.connected)
        assert publisher.say_picture(b"\x89PNG now")
        wait_until(lambda: "synthesis" in broker.topics())
    assert said == [False]
    assert [p.payload for p in broker.published if p.topic.endswith("synthesis")] == [
        b"\x89PNG now"
    ]
