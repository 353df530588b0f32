"""Tells the network what is seen. Implements ``pipeline.Publisher``.

The loop only builds payloads and leaves them in the mailbox; the link's thread sends them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from device.mqtt.access import BrokerAccess
from device.mqtt.backoff import Backoff
from device.mqtt.clock import WallClock
from device.mqtt.identity import Identity
from device.mqtt.link import Link
from device.mqtt.mailbox import OFFLINE, Mailbox, Receiver
from device.mqtt.message import Message, Topics
from device.mqtt.outbox import MemoryOutbox, Outbox
from device.mqtt.payloads import Payloads, encode
from device.mqtt.state_pace import StatePace
from device.vocabulary import CameraState, ExpressionEvent, Scene, Status

log = logging.getLogger("mien.mqtt")

DEFAULT_EVENTS = 10_000


class MqttPublisher:
    """The appliance on the network.

    Args:
        access: the broker, or what finds it out at the first attempt.
        topics: of this device.
        identity: who speaks.
        clock: when.
        outbox: where events wait; memory by default.
        backoff: delays between connection attempts.
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
        self.outbox = outbox or MemoryOutbox(DEFAULT_EVENTS)
        self._mailbox = Mailbox(topics("availability"), topics("event"), self.outbox)
        will = Message(topics("availability"), OFFLINE, retain=True)
        self._link = Link(access, self._mailbox, will, backoff)

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._link.start()

    # pipeline.Publisher, called by the loop.

    def publish(self, event: ExpressionEvent) -> None:
        """Keeps an event until the broker has it."""
        self.outbox.put(self._payloads.event(event), late=not self._link.connected)
        self._link.wake()

    def show(self, scene: Scene, status: Status) -> None:
        """The newest state, when it changed and not too often."""
        self.retain("camera", status.camera.value.encode())
        if self._pace.is_due(scene, status):
            self.retain("state", encode(self._payloads.state(scene, status)))

    @property
    def connected(self) -> bool:
        """True while the broker has accepted us."""
        return self._link.connected

    @property
    def problem(self) -> str | None:
        """What is wrong with broker or outbox, in one line."""
        return self._link.problem or self.outbox.problem

    def close(self) -> None:
        """Says that nobody is seen any more and ``stopped``, waits shortly, disconnects."""
        nobody = Scene((), 0, 0, self._clock.now_s())
        ended = Status(CameraState.OFFLINE, "the daemon has ended")
        self.retain("camera", ended.camera.value.encode())
        self.retain("state", encode(self._payloads.state(nobody, ended)))
        self._link.close()
        waiting = self.outbox.depth
        self.outbox.close()
        if waiting:
            log.warning("stopped with %d events that the broker has not acknowledged", waiting)

    # For the other parts of the daemon, from any thread.

    def retain(self, name: str, payload: bytes, qos: int = 1) -> None:
        """Says a retained topic of this device when it changed."""
        self._mailbox.retain(self.topics(name), payload, qos)
        self._link.wake()

    def show_health(self, report: Mapping[str, Any]) -> None:
        """The health report, retained, and a heartbeat that proves the connection."""
        payload = self._payloads.health(report, self._clock.now_s())
        if self._link.connected:
            self._mailbox.beat()
        self.retain("health", encode(payload), qos=0)

    def respond(
        self, name: str, transaction: str | None, *, data: Any = None, error: str = ""
    ) -> None:
        """Answers a command."""
        now_s = self._clock.now_s()
        payload = self._payloads.response(name, transaction, now_s, data=data, error=error)
        self._mailbox.answer(Message(self.topics(f"response/{name}"), encode(payload)))
        self._link.wake()

    def say_picture(self, picture: bytes) -> None:
        """A synthesized PNG; whoever calls this has checked that it may be said."""
        self._mailbox.answer(Message(self.topics("synthesis"), picture))
        self._link.wake()

    def announce(self, topic: str, payload: bytes) -> None:
        """Says a retained topic that is not this device's own (discovery)."""
        self._mailbox.retain(topic, payload)
        self._link.wake()

    def repeat(self) -> None:
        """Says everything retained again, for a listener that was not there."""
        self._mailbox.repeat()
        self._link.wake()

    def when_back(self, tell: Callable[[], None]) -> None:
        """Has somebody told, in the link's thread, that the broker is there again; must not wait."""
        self._link.when_back = tell

    def listen(self, topic_filter: str, receiver: Receiver) -> None:
        """Subscribes at every connect; before ``start``."""
        self._mailbox.listen(topic_filter, receiver)
