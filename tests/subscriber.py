"""A subscriber for tests that remembers what it saw."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.device.mqtt.validation import check_message

LONG_S = 30.0  # a machine may be busy, and only a failing test waits so long


@dataclass(frozen=True)
class Seen:
    """One message."""

    topic: str
    payload: bytes
    retained: bool
    at_s: float
    qos: int = 0

    @property
    def name(self) -> str:
        """The topic without prefix and device id."""
        return self.topic.split("/", 2)[-1]

    def json(self) -> dict[str, Any]:
        """The payload as JSON."""
        body: dict[str, Any] = json.loads(self.payload)
        return body


class Subscriber:
    """Connects (again and again), subscribes, remembers.

    Args:
        port: of the broker on loopback.
        topic: what to subscribe to.
        qos: of the subscription. With 0 it sends nothing itself, so a broker that is killed
            leaves no unread bytes of it, and the kernel delivers everything the broker wrote
            instead of resetting the connection.
    """

    def __init__(self, port: int, topic: str = "#", qos: int = 1) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._subscribed = threading.Event()
        self._topic = topic
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        subscribed = self._subscribed
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_disconnect = lambda *_: subscribed.clear()
        self._client.on_message = self._remember
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.wait_subscribed()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # Without this cycle the client goes at once and closes the sockets it wakes itself with.
        self._client.on_message = None
        if failure is None:
            self._check_all()

    def _check_all(self) -> None:
        """Whatever any test sees on a device's topics is what the published schemas say."""
        for message in self.seen():
            is_ours = message.topic.startswith("mien/") and "/command/" not in message.topic
            if is_ours and message.name != "synthesis":
                check_message(message)

    def _remember(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        now_s = time.monotonic()
        seen = Seen(message.topic, bytes(message.payload), message.retain, now_s, message.qos)
        with self._lock:
            self._seen.append(seen)

    def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        """Publishes at QoS 1 and waits until the broker has it."""
        published = self._client.publish(topic, payload, 1, retain)
        published.wait_for_publish(LONG_S)
        assert published.is_published()

    def send(self, topic: str, payload: bytes) -> None:
        """Publishes at QoS 0 and does not wait."""
        self._client.publish(topic, payload, 0)

    def wait_subscribed(self, within_s: float = LONG_S) -> None:
        """After the broker came back."""
        assert self._subscribed.wait(within_s)

    def wait_cut_off(self, within_s: float = LONG_S) -> None:
        """After the broker went."""
        by_s = time.monotonic() + within_s
        while self._subscribed.is_set():
            assert time.monotonic() < by_s, "still connected"
            time.sleep(0.01)

    def seen(self, name: str | None = None) -> list[Seen]:
        """Everything so far, or what came to one topic of the device."""
        with self._lock:
            return [m for m in self._seen if name is None or m.name == name]

    def wait_for(
        self, name: str, check: Callable[[list[Seen]], bool] = bool, within_s: float = LONG_S
    ) -> list[Seen]:
        """Waits until ``check`` accepts the messages of a topic, and returns them."""
        by_s = time.monotonic() + within_s
        while True:
            found = self.seen(name)
            if found and check(found):
                return found
            if time.monotonic() > by_s:
                raise AssertionError(f"{name}: {len(found)} messages, last {found[-1:]}")
            time.sleep(0.01)
