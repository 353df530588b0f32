"""The broker dies at random moments while events go on: every one arrives, in order, once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.mqtt.disk_outbox import DiskOutbox
from device.mqtt.outbox import Outbox
from device.mqtt.publisher import MqttPublisher
from tests.broker import MOSQUITTO, TestBroker, start_broker
from tests.device.mqtt.appliance import DEVICE, Gate, running_publisher, wait_until
from tests.device.mqtt.validation import check_message
from tests.scenes import change
from tests.subscriber import Seen, Subscriber

RATE_HZ = 200.0
# What the broker has acknowledged must not wait in its memory for a slow subscriber when it is
# killed; that loss would be the broker's, and `persistence` its remedy.
FORWARD_AT_ONCE = "allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0"
EVENTS_AN_OUTAGE = 60  # a minute of a lively room


@dataclass
class Produced:
    """One event as the pipeline knows it."""

    track_id: int
    surely_late: bool  # no broker before and after it was published


class Producer(threading.Thread):
    """Publishes events at a steady pace, as the loop would."""

    def __init__(self, publisher: MqttPublisher) -> None:
        super().__init__(daemon=True)
        self._publisher = publisher
        self._stop_it = threading.Event()
        self.produced: list[Produced] = []

    def run(self) -> None:
        while not self._stop_it.wait(1 / RATE_HZ):
            number = len(self.produced) + 1
            before = self._publisher.connected
            self._publisher.publish(change(track_id=number))
            late = not before and not self._publisher.connected
            self.produced.append(Produced(number, late))

    def wait_for_more(self, count: int) -> None:
        wanted = len(self.produced) + count
        wait_until(lambda: len(self.produced) >= wanted, 60.0)

    def stop(self) -> None:
        self._stop_it.set()
        self.join(5.0)


def first_copies(seen: list[Seen]) -> dict[tuple[str, int], Seen]:
    """What a subscriber that deduplicates by ``boot_id`` and ``seq`` keeps, in order."""
    kept: dict[tuple[str, int], Seen] = {}
    for message in seen:
        body = message.json()
        kept.setdefault((body["boot_id"], body["seq"]), message)
    return kept


@pytest.mark.parametrize(
    ("kills", "kind"),
    [
        (2, "disk"),
        (1, "memory"),
        pytest.param(20, "disk", marks=pytest.mark.slow),
        pytest.param(20, "memory", marks=pytest.mark.slow),
    ],
)
def test_no_event_is_lost_invented_or_misplaced(
    tmp_path: Path, kills: int, kind: str, record_property: Callable[[str, object], None]
) -> None:
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed; see tests/install-mosquitto.sh")
    rng = random.Random(kills)
    with start_broker(tmp_path, FORWARD_AT_ONCE) as broker:
        record_property("events", go_through_outages(broker, rng, tmp_path, kills, kind))


def go_through_outages(
    broker: TestBroker, rng: random.Random, tmp_path: Path, kills: int, kind: str
) -> int:
    """Returns how many events there were."""
    outbox: Outbox = Outbox(50_000)
    if kind == "disk":
        outbox = DiskOutbox(tmp_path / "outbox", 50_000)
    gate = Gate(broker.port)
    with (
        Subscriber(broker.port, f"mien/{DEVICE}/event", qos=0) as subscriber,
        running_publisher(broker.port, access=gate, outbox=outbox) as publisher,
    ):
        wait_until(lambda: publisher.connected)
        producer = Producer(publisher)
        producer.start()
        subscriber.wait_for("event")  # while the broker is there
        for _ in range(kills):
            time.sleep(rng.uniform(0.0, 0.5))
            gate.close()
            broker.kill()
            subscriber.wait_cut_off()
            producer.wait_for_more(EVENTS_AN_OUTAGE)
            broker.start()
            subscriber.wait_subscribed()
            gate.open()
            wait_until(lambda: publisher.connected)
        producer.stop()
        wait_until(lambda: publisher.outbox.depth == 0, 60.0)
        count = len(producer.produced)
        subscriber.wait_for("event", lambda seen: len(first_copies(seen)) >= count)
        kept = list(first_copies(subscriber.seen("event")).values())
    assert [m.json()["track_id"] for m in kept] == [p.track_id for p in producer.produced]
    assert [m.json()["seq"] for m in kept] == list(range(1, count + 1))
    for message, produced in zip(kept, producer.produced, strict=True):
        check_message(message)
        assert not message.retained
        if produced.surely_late:
            assert message.json()["historical"], produced
    late = sum(message.json()["historical"] for message in kept)
    assert kills * EVENTS_AN_OUTAGE * 0.5 < late < count
    return count
