"""The documented ways beyond one broker, tried with real mosquittos."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.broker import MOSQUITTO, Mosquitto, start_broker
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.scenes import ONLINE, change, scene_with
from tests.subscriber import Subscriber

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "mosquitto-bridge.conf"
pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")


def test_the_example_bridge_carries_events_up_and_commands_down(tmp_path: Path) -> None:
    with start_broker(tmp_path) as centre:
        options = EXAMPLE.read_text().replace("CENTRE:1883", f"127.0.0.1:{centre.port}")
        options = re.sub(r"^(listener|persistence\w*|autosave\w*) .*$", "", options, flags=re.M)
        site = Mosquitto(tmp_path, options)
        site.start()
        try:
            with (
                Subscriber(centre.port) as above,
                Subscriber(site.port, "mien/+/command/+") as below,
                running_publisher(site.port) as publisher,
            ):
                wait_until(lambda: (publisher.publish(change()), above.seen("event"))[1])
                publisher.show(scene_with(), ONLINE)
                above.publish(f"mien/{DEVICE}/command/get", "{}")
                below.wait_for("command/get")
                above.wait_for("availability")
                assert not above.seen("state")
        finally:
            site.kill()


def test_shared_subscribers_divide_the_events_among_them(tmp_path: Path) -> None:
    counts: Counter[int] = Counter()
    seen: set[int] = set()
    subscribed = threading.Semaphore(0)
    with start_broker(tmp_path) as broker, running_publisher(broker.port) as publisher:
        workers = []
        for number in range(3):
            worker = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)

            def take(_c: object, number: int, message: paho.MQTTMessage) -> None:
                counts[number] += 1
                seen.add(json.loads(message.payload)["seq"])

            worker.user_data_set(number)
            worker.on_message = take
            worker.on_subscribe = lambda *_: subscribed.release()
            worker.connect("127.0.0.1", broker.port)
            worker.subscribe("$share/archive/mien/+/event", 1)
            worker.loop_start()
            workers.append(worker)
        for _ in workers:
            assert subscribed.acquire(timeout=30.0)
        for _ in range(300):
            publisher.publish(change())
        wait_until(lambda: publisher.outbox.depth == 0 and len(seen) == 300)
        taken = counts.copy()  # what one has not acknowledged when it leaves goes to another
        for worker in workers:
            worker.disconnect()
            worker.loop_stop()
    assert set(taken) == {0, 1, 2}
    assert taken.total() == len(seen)  # nobody got the same one
