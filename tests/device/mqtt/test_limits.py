"""What a broker announces is kept, and what it refuses is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from device.mqtt.outbox import Outbox
from device.mqtt.publisher import MqttPublisher
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.strict_broker import NOT_AUTHORIZED, QUOTA_EXCEEDED, UNSPECIFIED, StrictBroker

HEALTH = {"from": "a test"}


def filled(count: int) -> Outbox:
    """An outbox that filled while the broker was away."""
    outbox = Outbox(10_000)
    for number in range(count):
        outbox.put(b'{"n":%d,"historical":false}' % number, late=True)
    return outbox


def retained_things(count: int) -> Callable[[MqttPublisher], None]:
    def prepare(publisher: MqttPublisher) -> None:
        for number in range(count):
            publisher.announce(f"thing/{number}", b"x")

    return prepare


def events_of(broker: StrictBroker) -> list[bytes]:
    return [each.payload for each in broker.published if each.topic.endswith("/event")]


def test_no_more_is_in_flight_than_the_broker_announces() -> None:
    with (
        StrictBroker(receive_maximum=10, ack_delay_s=0.05) as broker,
        running_publisher(
            broker.port, outbox=filled(200), prepare=retained_things(30)
        ) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
    assert broker.violations == []
    assert len(broker.connects) == 1
    assert max(each.in_flight for each in broker.published) == 10
    assert events_of(broker) == [b'{"n":%d,"historical":true}' % n for n in range(200)]


@pytest.mark.parametrize("receive_maximum", [1, 2])
def test_the_smallest_windows_work(receive_maximum: int) -> None:
    with (
        StrictBroker(receive_maximum=receive_maximum) as broker,
        running_publisher(broker.port, outbox=filled(20)) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
    assert broker.violations == []
    assert broker.published[0].payload == b"online"
    assert broker.published[-1].payload == b"stopped"


def test_what_is_too_large_for_the_broker_is_skipped_counted_and_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox = filled(3)
    for _ in range(2):
        outbox.put(b'{"long":"' + b"x" * 2000 + b'"}', late=True)
    outbox.put(b'{"n":3}', late=True)
    with (
        StrictBroker(maximum_packet_size=1000) as broker,
        caplog.at_level(logging.WARNING),
        running_publisher(
            broker.port,
            outbox=outbox,
            prepare=lambda publisher: publisher.announce("homeassistant/x/config", b"x" * 5000),
        ) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
        assert "homeassistant/x/config" in (publisher.problem or "")
        assert publisher.num_refused == 3
    assert broker.violations == []
    assert len(broker.connects) == 1
    assert events_of(broker)[-1] == b'{"n":3}'
    told = [r.message for r in caplog.records if "more than the 1000 that" in r.message]
    assert [f"/{name}:" in line for name, line in zip(("config", "event"), told, strict=True)]
    assert "its 5030 bytes" in told[0]


def test_a_message_of_exactly_the_largest_size_is_said() -> None:
    topic, size = f"mien/{DEVICE}/event", 500
    outbox = Outbox(10)
    rest = len(topic) + 2 + 2 + 1 + 3  # length of the topic, number, properties, header
    outbox.put(b"x" * (size - rest), late=False)
    outbox.put(b"y" * (size - rest + 1), late=False)
    with (
        StrictBroker(maximum_packet_size=size) as broker,
        running_publisher(broker.port, outbox=outbox) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
    assert [payload[:1] for payload in events_of(broker)] == [b"x"]
    assert broker.violations == []


@pytest.mark.parametrize("limits", [{"maximum_qos": 0}, {"retain": False}])
def test_a_broker_without_qos_1_or_retained_messages_is_served_all_the_same(
    limits: dict[str, int],
) -> None:
    with (
        StrictBroker(**limits) as broker,  # type: ignore[arg-type]
        running_publisher(broker.port, outbox=filled(50)) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
        wait_until(lambda: len(events_of(broker)) == 50)  # at QoS 0 nobody says that it has them
    assert broker.violations == []
    assert len(broker.connects) == 2  # the first was refused for the will


def test_the_broker_s_keep_alive_replaces_ours() -> None:
    with StrictBroker(server_keep_alive=1) as broker, running_publisher(broker.port) as publisher:
        wait_until(lambda: publisher.connected)
        wait_until(lambda: broker.pings_s, 15.0)  # ours would be 30 s


def test_we_announce_what_we_take() -> None:
    with StrictBroker() as broker, running_publisher(broker.port) as publisher:
        wait_until(lambda: publisher.connected)
    assert broker.announced == [b"\x21\x00\x14" + b"\x27\x00\x01\x00\x00"]


@pytest.mark.parametrize("code", [QUOTA_EXCEEDED, UNSPECIFIED])
def test_events_that_are_refused_for_now_are_kept_and_tried_again_in_order(code: int) -> None:
    looked, twice, refused = threading.Event(), [code] * 2, []

    def refuse(topic: str) -> int:
        if not topic.endswith("/event") or (looked.is_set() and not twice):
            return 0
        if looked.is_set():
            twice.pop()
        refused.append(topic)
        return code

    with (
        StrictBroker(refuse=refuse, receive_maximum=5) as broker,
        running_publisher(broker.port, outbox=filled(30)) as publisher,
    ):
        wait_until(lambda: "/event: " in (publisher.problem or ""))
        assert publisher.outbox.depth == 30
        looked.set()
        wait_until(lambda: publisher.outbox.depth == 0)
        assert publisher.problem is None
        assert publisher.num_refused == len(refused) > 2
    said = events_of(broker)
    assert list(dict.fromkeys(said)) == [b'{"n":%d,"historical":true}' % n for n in range(30)]
    assert len(broker.connects) == 1


@pytest.mark.parametrize("window", [1, 10, 20])
@pytest.mark.parametrize("packet_bytes", [1024, 4096, 8192])
def test_whatever_the_limits_no_event_is_lost_uncounted_and_order_holds(
    window: int, packet_bytes: int
) -> None:
    outbox, refusals = filled(25), [QUOTA_EXCEEDED] * 2
    outbox.put(b'{"long":"' + b"x" * 5000 + b'"}', late=True)
    for number in range(25, 50):
        outbox.put(b'{"n":%d,"historical":false}' % number, late=True)

    def refuse(topic: str) -> int:
        return refusals.pop() if topic.endswith("/event") and refusals else 0

    with (
        StrictBroker(
            receive_maximum=window, maximum_packet_size=packet_bytes, refuse=refuse
        ) as broker,
        running_publisher(broker.port, outbox=outbox) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
        too_large = packet_bytes < 5000
        assert publisher.num_refused == 2 + too_large
        assert publisher.outbox.dropped == 0
    said = list(dict.fromkeys(events_of(broker)))
    short = [each for each in said if not each.startswith(b'{"long"')]
    assert short == [b'{"n":%d,"historical":true}' % n for n in range(50)]
    assert len(said) == 51 - too_large
    assert max(each.in_flight for each in broker.published) <= window
    assert broker.violations == []


def test_a_retained_topic_that_is_refused_for_now_is_said_again() -> None:
    refusals = [QUOTA_EXCEEDED]

    def refuse(topic: str) -> int:
        return refusals.pop() if topic == "thing/0" and refusals else 0

    with (
        StrictBroker(refuse=refuse) as broker,
        running_publisher(broker.port, prepare=retained_things(2)),
    ):
        wait_until(lambda: broker.topics().count("0") == 2)
    assert broker.topics().count("1") == 1


def test_what_is_refused_for_ever_is_counted_named_once_and_holds_nothing_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        StrictBroker(refuse=lambda topic: NOT_AUTHORIZED * topic.endswith("/event")) as broker,
        caplog.at_level(logging.WARNING),
        running_publisher(broker.port, outbox=filled(30)) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
        assert f"mien/{DEVICE}/event: Not authorized" in (publisher.problem or "")
        assert publisher.num_refused == 30
    assert len([r for r in caplog.records if "/event: Not authorized" in r.message]) == 1


def test_refused_answers_are_a_problem_only_where_the_name_is_a_command() -> None:
    with (
        StrictBroker(refuse=lambda topic: NOT_AUTHORIZED * ("/response/" in topic)) as broker,
        running_publisher(broker.port) as publisher,
    ):
        for number in range(3):
            publisher.respond(f"dance{number}", None, error="unknown command")
        wait_until(lambda: publisher.num_refused == 3)
        assert publisher.problem is None
        publisher.respond("set", None)
        wait_until(lambda: "/response/set: Not authorized" in (publisher.problem or ""))


@pytest.mark.parametrize(
    "topic",
    ["a/#", "+", "", "a\0b", "\ud800", "x" * 70_000],
    ids=["hash", "plus", "empty", "null", "surrogate", "long"],
)
def test_a_topic_that_cannot_be_published_to_hinders_nothing_else(topic: str) -> None:
    with (
        StrictBroker() as broker,
        running_publisher(
            broker.port,
            outbox=filled(3),
            prepare=lambda publisher: publisher.announce(topic, b""),
        ) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
        assert "topic" in (publisher.problem or "")
        assert publisher.num_refused == 1
    assert len(broker.connects) == 1


def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    with (
        StrictBroker(versions=(4,)) as broker,
        running_publisher(broker.port, outbox=filled(3)) as publisher,
    ):
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
    assert broker.connects == [5, 4]


def test_a_broker_that_ends_every_connection_at_once_is_explained() -> None:
    with StrictBroker(leave_at_once=True) as broker, running_publisher(broker.port) as publisher:
        wait_until(lambda: "lost again and again" in (told := publisher.problem or "") and
                   "mqtt.client_id" in told)  # fmt: skip


def test_the_birth_is_said_before_what_changed_earlier() -> None:
    with (
        StrictBroker() as broker,
        running_publisher(
            broker.port, prepare=lambda publisher: publisher.retain("camera", b"offline")
        ),
    ):
        wait_until(lambda: "camera" in broker.topics())
    assert broker.topics()[:2] == ["availability", "camera"]
