"""What goes over the wire, and the bounds on it, both ways.

What a broker announces in CONNACK is kept (MQTT 5, section 3.2.2.3), and what we take is announced.
A packet that is longer all the same, as over MQTT 3.1.1, is read past in pieces.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

MAX_IN_FLIGHT = 20
MAX_INPUT_BYTES = 1 << 16  # of one packet; a command has at most 4096
MAX_PACKET_BYTES = 268_435_455 + 5  # what the protocol can express
CHUNK_BYTES = 1 << 16
PUBLISH = 3
Receiver = Callable[[str, bytes, bool], None]  # topic, payload, whether it was retained


@dataclass(frozen=True)
class Message:
    """One MQTT publication."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(eq=False)
class Publication:
    """What becomes of a message: it waits, is acknowledged, or refused.

    Attributes:
        message: what was to be said.
        number: the outbox's, where it is an event.
        acknowledged: the broker has it.
        refused: why it will not be said; None while it may.
        cause: the reason in a few words that stay the same.
        for_ever: saying it again would not help.
        from_source: it came from the client's source.
    """

    message: Message
    number: int = 0
    acknowledged: bool = False
    refused: str | None = None
    cause: str = ""
    for_ever: bool = False
    from_source: bool = True

    @property
    def done(self) -> bool:
        """True once it is acknowledged or refused."""
        return self.acknowledged or self.refused is not None


@dataclass(eq=False)
class Subscription:
    """Who listens to what, and whether the broker has answered, and refused."""

    topic_filter: str
    receiver: Receiver
    answered: bool = False
    refused: str | None = None


class Source(Protocol):
    """Where the client gets what it sends; called in its thread."""

    def begin(self, was_away: bool) -> None:
        """A new connection; ``was_away``: after an attempt that failed."""

    def take(self, room: int) -> Sequence[Publication]:
        """At most so many publications, none when nothing waits."""

    def lost(self) -> None:
        """The connection has ended: nothing in flight will be acknowledged any more."""

    def finished(self, publication: Publication) -> None:
        """One of them is acknowledged or refused."""


@dataclass(frozen=True)
class Limits:
    """What the broker takes; the defaults are those of a broker that announces nothing."""

    in_flight: int = MAX_IN_FLIGHT
    packet_bytes: int = MAX_PACKET_BYTES
    qos: int = 1
    retain: bool = True

    @classmethod
    def announced(cls, connack: Properties) -> Limits:
        """The limits in a CONNACK."""
        return cls(
            min(MAX_IN_FLIGHT, getattr(connack, "ReceiveMaximum", MAX_IN_FLIGHT)),
            getattr(connack, "MaximumPacketSize", MAX_PACKET_BYTES),
            getattr(connack, "MaximumQoS", 1),
            bool(getattr(connack, "RetainAvailable", 1)),
        )


class Input:
    """Bytes between the socket and paho: a PUBLISH that is too long loses its payload here.

    paho still acknowledges it. In place of the payload stand a mark that nobody can guess and
    the packet's length.
    """

    def __init__(self, is_5: bool) -> None:
        self.ready = bytearray()
        self.mark = os.urandom(16)
        self._no_properties = b"\0" if is_5 else b""
        self._raw = bytearray()  # the beginning of a packet
        self._pass_on = self._skip = 0  # bytes of the packet that are still to come

    def feed(self, data: bytes) -> None:
        """Takes what the socket gave.

        Raises:
            ConnectionError: this is not MQTT, or a long packet that is not a PUBLISH.
        """
        raw = self._raw
        raw += data
        while True:
            skip, self._skip = self._skip, max(0, self._skip - len(raw))
            del raw[:skip]
            pass_on, self._pass_on = self._pass_on, max(0, self._pass_on - len(raw))
            self.ready += raw[:pass_on]
            del raw[:pass_on]
            end = next((at + 1 for at in range(1, min(len(raw), 5)) if raw[at] < 128), 0)
            if not end and len(raw) >= 5:
                raise ConnectionError("not MQTT")
            if not end:
                return
            length = sum((byte & 127) << 7 * place for place, byte in enumerate(raw[1:end]))
            if length <= MAX_INPUT_BYTES:
                self._pass_on = end + length
            elif not self._cut(end, length):
                return

    def _cut(self, end: int, length: int) -> bool:
        """Passes topic and number of a long PUBLISH on; False while they are not complete."""
        raw = self._raw
        if raw[0] >> 4 != PUBLISH:
            raise ConnectionError(f"a packet of {length} bytes")
        number_bytes = 2 if raw[0] & 6 else 0
        head_end = end + 2 + int.from_bytes(raw[end : end + 2], "big") + number_bytes
        if len(raw) < max(head_end, end + 2):
            return False
        body = raw[end:head_end] + self._no_properties + self.mark + length.to_bytes(8, "big")
        size = len(body)
        self.ready += bytes([raw[0], size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + body
        self._skip = end + length
        return True


class BoundedClient(paho.Client):
    """paho behind ``Input``; without it paho reads whatever length a packet has into memory."""

    def __init__(self, is_5: bool, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, **options)
        self.input = Input(is_5)

    def _sock_recv(self, bufsize: int) -> bytes:
        ready = self.input.ready
        if not ready:
            data = super()._sock_recv(CHUNK_BYTES)
            if not data:
                return data
            self.input.feed(data)
            if not ready:
                raise BlockingIOError
        data = bytes(ready[:bufsize])
        del ready[:bufsize]
        return data
