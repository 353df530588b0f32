"""Tells the network what is seen. Implements ``pipeline.Publisher``.

The loop only builds payloads and leaves them here; the client's thread takes and sends them.
A retained topic keeps its newest payload and is said again after every connect, since a broker
may have forgotten it. An event stays in the outbox until the broker has acknowledged it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from device.mqtt.access import Backoff, BrokerAccess
from device.mqtt.client import MqttClient
from device.mqtt.identity import DuplicateIdWatch, Identity, Topics
from device.mqtt.outbox import Outbox
from device.mqtt.pace import StatePace
from device.mqtt.packets import Message, Receiver, ReplyTo
from device.mqtt.payloads import COMMANDS, Payloads, WallClock, encode
from device.mqtt.unsent import Unsent
from device.vocabulary import CameraState, ExpressionEvent, Scene, Status

log = logging.getLogger("mien.mqtt")

DEFAULT_EVENTS = 10_000
STOPPED, OFFLINE = b"stopped", b"offline"


class MqttPublisher:
    """The appliance on the network.

    Args:
        access: the broker, or what finds it out at the first attempt.
        topics: of this device.
        identity: who speaks.
        clock: when.
        outbox: where events wait; memory by default.
        backoff: delays between connection attempts.

    Attributes:
        duplicates: notices another device with our id.
    """

    def __init__(
        self,
        access: BrokerAccess | Callable[[], BrokerAccess],
        topics: Topics,
        identity: Identity,
        clock: WallClock | None = None,
        outbox: Outbox | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.topics, self.identity = topics, identity
        self._clock = clock or WallClock()
        self._payloads = Payloads(identity, self._clock)
        self._pace = StatePace()
        self.outbox = outbox or Outbox(DEFAULT_EVENTS)
        self.duplicates = DuplicateIdWatch(identity, self._clock.now_s)
        self._unsent = Unsent(topics, self.outbox, self._clock.now_s)
        will = Message(topics("availability"), OFFLINE, retain=True)
        self._client = MqttClient(access, will, backoff, self._unsent)

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._client.start()

    # pipeline.Publisher, called by the loop.

    def publish(self, event: ExpressionEvent) -> None:
        """Keeps an event until the broker has it."""
        self.outbox.put(encode(self._payloads.event(event)), late=not self._client.connected)
        self._client.wake()

    def show(self, scene: Scene, status: Status) -> None:
        """The newest state, when it changed and not too often."""
        self.retain("camera", status.camera.value.encode())
        if self._pace.is_due(scene, status):
            self.retain("state", encode(self._payloads.state(scene, status)))

    @property
    def connected(self) -> bool:
        """True while the broker has accepted us."""
        return self._client.connected

    @property
    def problem(self) -> str | None:
        """What is wrong with device id, broker or outbox, in one line."""
        return self.duplicates.problem or self._client.problem or self.outbox.problem

    @property
    def broker_away(self) -> bool:
        """True after an attempt to connect failed, until one succeeds."""
        return self._client.failed

    @property
    def num_refused(self) -> int:
        """Publications that the broker refused, or that go beyond what it takes."""
        return self._client.num_refused

    @property
    def num_dropped(self) -> int:
        """Messages for us that could not be read."""
        return self._client.num_dropped

    def close(self) -> None:
        """Says that nobody is seen any more and ``stopped``, waits shortly, disconnects."""
        nobody = Scene((), 0, 0, self._clock.now_s())
        ended = Status(CameraState.OFFLINE, "the daemon has ended")
        self.retain("camera", ended.camera.value.encode())
        self.retain("state", encode(self._payloads.state(nobody, ended)))
        self._client.close(Message(self.topics("availability"), STOPPED, retain=True))
        waiting = self.outbox.depth
        self.outbox.close()
        if waiting:
            log.warning("stopped with %d events that the broker has not acknowledged", waiting)

    # For the other parts of the daemon, from any thread.

    def retain(self, name: str, payload: bytes, qos: int = 1) -> None:
        """Says a retained topic of this device when it changed."""
        if self._unsent.retain(Message(self.topics(name), payload, qos, retain=True)):
            self._client.wake()

    def show_health(self, report: Mapping[str, Any]) -> None:
        """The health report, retained, and a heartbeat that proves the connection."""
        payload = self._payloads.health(report, self._clock.now_s())
        if self._client.connected:
            self._unsent.repeat([self.topics("availability")])
        self.retain("health", encode(payload), qos=0)

    def respond(
        self,
        name: str,
        transaction: str | None,
        *,
        data: Any = None,
        error: str = "",
        reply_to: ReplyTo | None = None,
    ) -> None:
        """Answers a command, where an MQTT 5 request says so, else on ``response/<name>``."""
        is_foreign = reply_to is not None or name not in COMMANDS
        reply_to = reply_to or ReplyTo(self.topics(f"response/{name}"))
        now_s = self._clock.now_s()
        payload = self._payloads.response(name, transaction, now_s, data=data, error=error)
        answer = Message(
            reply_to.topic, encode(payload), correlation=reply_to.correlation, foreign=is_foreign
        )
        self._client.publish(answer)

    def say_picture(self, picture: bytes) -> bool:
        """A synthesized PNG that may be said; returns whether there is a connection for it now."""
        message = Message(self.topics("synthesis"), picture, momentary=True)
        return self._client.publish(message).refused is None

    def announce(
        self, topic: str, payload: bytes, when_done: Callable[[], None] | None = None
    ) -> None:
        """Says a retained topic that is not this device's own (discovery).

        Args:
            topic: the whole of it.
            payload: empty for a retraction, which is said once.
            when_done: called in the client's thread once the broker has it, or refuses it for ever.
        """
        if self._unsent.retain(Message(topic, payload, retain=True), when_done):
            self._client.wake()

    def repeat(self) -> None:
        """Says everything retained again, for a listener that was not there."""
        self._unsent.repeat()
        self._client.wake()

    def when_back(self, tell: Callable[[], None]) -> None:
        """Has somebody told, in the client's thread, that the broker is there again."""
        self._unsent.when_back = tell

    def listen(self, topic_filter: str, receiver: Receiver, is_request: bool = False) -> None:
        """Subscribes at every connect; ``receiver(topic, payload, retained)`` must be quick.

        One of requests, listened to before the start, is also told where the answer is wanted.
        """
        self._client.subscribe(topic_filter, receiver).is_request = is_request
