"""Removes one retained message from a broker, for ``mien discovery clear``."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace

from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.connection import Connection
from device.mqtt.link import Link
from device.mqtt.message import Message

CHECK_EVERY_S = 0.1


class _Eraser:
    """A session that says one empty retained message."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.done = threading.Event()
        self.refusal: str | None = None

    def connected(self, connection: Connection) -> None:
        connection.publish(Message(self._topic, b"", retain=True))

    def pump(self, connection: Connection) -> None:
        pass

    def acknowledged(self, number: int, refusal: str | None) -> None:
        self.refusal = refusal
        self.done.set()

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        pass

    def denied(self, topics: Sequence[str]) -> None:
        pass

    def lost(self) -> None:
        pass

    def leaving(self, connection: Connection) -> None:
        pass


def retract(access: BrokerAccess, topic: str) -> None:
    """Empties a retained topic.

    Raises:
        BrokerError: the broker cannot be reached, or refuses us or the topic.
    """
    eraser = _Eraser(topic)
    link = Link(replace(access, client_id=f"mien-clear-{uuid.uuid4().hex[:8]}"), eraser, quiet=True)
    link.start()
    try:
        while not eraser.done.wait(CHECK_EVERY_S):
            if link.failed:
                raise BrokerError(link.problem or f"broker {access}: no connection")
    finally:
        link.close()
    if eraser.refusal:
        raise BrokerError(f"broker {access} refuses {topic}: {eraser.refusal}; see its ACL")
