"""``historical`` is true for every event that has waited for the broker, and for no other."""

from __future__ import annotations

import json
import threading

from device.mqtt.identity import Topics
from device.mqtt.outbox import Outbox
from device.mqtt.unsent import STALLED_AFTER_S, Unsent
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.scenes import change
from tests.strict_broker import QUOTA_EXCEEDED, StrictBroker

MORE_THAN_IN_FLIGHT = 30


def said(broker: StrictBroker) -> list[tuple[int, bool]]:
    """``seq`` and ``historical`` of every event that arrived."""
    bodies = [json.loads(p.payload) for p in broker.published if p.topic.endswith("/event")]
    return [(body["seq"], body["historical"]) for body in bodies]


def test_events_that_found_no_room_before_the_connection_was_lost_have_waited() -> None:
    with (
        StrictBroker(ack_delay_s=30.0) as broker,
        running_publisher(broker.port) as publisher,
    ):
        wait_until(lambda: publisher.connected)
        for _ in range(MORE_THAN_IN_FLIGHT):
            publisher.publish(change())
        assert publisher.connected
        wait_until(lambda: said(broker))
        broker.ack_delay_s = 0.0
        num_before = len(broker.connects)
        broker.cut_off()
        wait_until(lambda: publisher.outbox.depth == 0)
        first, again = said(broker)[0], dict(said(broker))
        wait_until(lambda: publisher.connected)
        publisher.publish(change())
        wait_until(lambda: said(broker)[-1][0] == MORE_THAN_IN_FLIGHT + 1)
    assert len(broker.connects) > num_before
    assert first == (1, False)
    assert again == dict.fromkeys(range(1, MORE_THAN_IN_FLIGHT + 1), True)
    assert said(broker)[-1] == (MORE_THAN_IN_FLIGHT + 1, False)


def test_events_behind_one_that_is_refused_for_now_have_waited() -> None:
    refusals, refused = [QUOTA_EXCEEDED], threading.Event()

    def refuse(topic: str) -> int:
        if not topic.endswith("/event") or not refusals:
            return 0
        refused.set()
        return refusals.pop()

    with (
        StrictBroker(refuse=refuse, receive_maximum=1) as broker,
        running_publisher(broker.port) as publisher,
    ):
        wait_until(lambda: publisher.connected)
        publisher.publish(change())
        assert refused.wait(30.0)
        wait_until(lambda: publisher.num_refused)
        for _ in range(3):
            publisher.publish(change())
        wait_until(lambda: publisher.outbox.depth == 0)
    assert said(broker) == [(1, False), (1, True), (2, True), (3, True), (4, True)]


def test_events_that_found_no_room_for_seconds_have_waited() -> None:
    now_s = 0.0
    outbox = Outbox(10)
    unsent = Unsent(Topics("mien", DEVICE), outbox, lambda: now_s)
    unsent.begin(was_away=False)
    said_after = []
    for pause_s in (1.0, STALLED_AFTER_S + 1.0, 1.0):
        unsent.take(10)
        outbox.put(b'{"historical":false}', late=False)
        now_s += pause_s
        said_after += [p.message.payload for p in unsent.take(10) if p.number]
    assert said_after == [b'{"historical":%s}' % word for word in (b"false", b"true", b"false")]
