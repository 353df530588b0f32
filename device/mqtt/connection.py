"""One connection's life, from CONNECT to its end, driven by one thread.

paho does the protocol; its documented calls for foreign loops (``loop_read``, ``loop_write``,
``loop_misc``) let the caller own the socket. Its callbacks only take notes, so nothing that goes
wrong in our code can hurt its state. Nothing stays in the library's queues: its owner sends what
was not acknowledged again over the next connection.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device.mqtt.access import BrokerAccess
from device.mqtt.packets import (
    MAX_IN_FLIGHT,
    MAX_INPUT_BYTES,
    BoundedClient,
    Limits,
    Message,
    Publication,
)

ANSWER_WITHIN_S = 10.0  # for the broker's CONNACK
FOR_EVER = (0x87, 0x90, 0x99)  # not authorized, topic or payload not accepted; others may pass
MAX_PACKETS = 200  # read at a time, before we send again


@dataclass(frozen=True)
class Subscribed:
    """The broker's answers to the subscription ``number``; true where it was refused."""

    number: int
    refused: Sequence[bool]


@dataclass(frozen=True)
class Received:
    """A message for us, or (with a reason) one that cannot be passed on."""

    topic: str
    payload: bytes
    retained: bool
    dropped: str = ""


Note = Publication | Subscribed | Received


class Connection:
    """Drives one paho client.

    Args:
        access: the broker.
        version: MQTT 5 or 3.1.1.
        will: what the broker says when we vanish.
        waker: becomes readable when there is something to send.

    Attributes:
        accepted: the broker has accepted us.
        refused: the broker's reason when it said no.
        reason: why it ended after that.
        limits: what the broker takes.
    """

    def __init__(
        self,
        access: BrokerAccess,
        version: MQTTProtocolVersion,
        will: Message | None,
        waker: socket.socket,
    ) -> None:
        self.accepted, self.refused, self.reason = False, "", ""
        self.limits = Limits()
        self._access, self._waker = access, waker
        self._notes: list[Note] = []
        self._in_flight: dict[int, tuple[Publication, float]] = {}  # and when it was sent
        self._answers: list[tuple[int, ReasonCode]] = []
        self._is_5 = version == MQTTProtocolVersion.MQTTv5
        self._client = client = BoundedClient(
            self._is_5,
            client_id=access.client_id,
            clean_session=None if self._is_5 else True,
            protocol=version,
            reconnect_on_failure=False,
        )
        if access.username or access.password:
            client.username_pw_set(access.username, access.password or None)
        if access.tls:
            client.tls_set_context(access.tls)
        if will:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.max_inflight_messages = MAX_IN_FLIGHT
        client.connect_timeout = ANSWER_WITHIN_S / 2
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def open(self) -> None:
        """Connects; the broker's answer comes in a later ``step``.

        Raises:
            OSError: no connection could be made.
        """
        properties = None
        if self._is_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = MAX_IN_FLIGHT
            properties.MaximumPacketSize = MAX_INPUT_BYTES
        access = self._access
        self._client.connect(access.host, access.port, access.keepalive_s, properties=properties)

    @property
    def room(self) -> int:
        """Publications that may be sent now."""
        return self.limits.in_flight - len(self._in_flight)

    @property
    def in_flight(self) -> list[Publication]:
        """What was sent and not answered yet."""
        return [publication for publication, _ in self._in_flight.values()]

    def publish(self, publication: Publication) -> None:
        """Sends a publication; a later ``step`` returns it when it is done."""
        message, limits = publication.message, self.limits
        if unsayable := self._unsayable(message):
            publication.cause, publication.refused = unsayable
            publication.for_ever = True
            self._notes.append(publication)
            return
        qos, retain = min(message.qos, limits.qos), message.retain and limits.retain
        number = self._client.publish(message.topic, message.payload, qos, retain).mid
        self._in_flight[number] = publication, time.monotonic()

    def _unsayable(self, message: Message) -> tuple[str, str] | None:
        """Why the message cannot be said here: the cause, and the sentence."""
        try:
            topic = message.topic.encode()
        except UnicodeEncodeError:
            return "topic", "the topic is not UTF-8"
        if not 0 < len(topic) < 1 << 16 or set(message.topic) & set("#+\0"):
            return "topic", "nobody may publish to such a topic"
        size = len(topic) + len(message.payload) + 4 + self._is_5
        size += 2 + sum(size >= 128**power for power in (1, 2, 3))
        if size > self.limits.packet_bytes:
            most = self.limits.packet_bytes
            return "size", f"its {size} bytes are more than the {most} that the broker takes"
        return None

    def subscribe(self, topics: Sequence[str]) -> int:
        """Subscribes at QoS 1; the answer carries the number."""
        return self._client.subscribe([(topic, 1) for topic in topics])[1] or 0

    def disconnect(self) -> None:
        """Sends a DISCONNECT, after which the broker keeps the will to itself."""
        self._client.disconnect()
        self.step(0.0)

    def close(self) -> None:
        """Closes the socket, whatever has happened."""
        if stream := self._client.socket():
            stream.close()

    def step(self, timeout_s: float) -> list[Note] | None:
        """Waits for the network or a wake-up and moves bytes; None at the end."""
        stream = self._client.socket()
        if stream is None or self._is_stuck():
            return None
        decrypted: Any = getattr(stream, "pending", int)  # TLS: bytes that select cannot see
        at_hand = decrypted() or self._client.input.ready
        writers = [stream] if self._client.want_write() else []
        wait_s = 0.0 if at_hand or self._notes or self._answers else timeout_s
        readable, _, _ = select.select([stream, self._waker], writers, [], wait_s)
        if self._waker in readable:
            _drain(self._waker)
        if stream in readable or at_hand:
            self._read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        for number, code in self._answers:
            self._finish(number, code)
        self._answers.clear()
        notes, self._notes = self._notes, []
        if not notes and (self._client.socket() is None or self.refused):
            return None
        return notes

    def _finish(self, number: int, code: ReasonCode) -> None:
        publication, _ = self._in_flight.pop(number, (None, 0.0))
        if publication is None:
            return
        publication.acknowledged = not code.is_failure
        if code.is_failure:
            publication.cause, publication.for_ever = code.getName(), code.value in FOR_EVER
            hint = "; see its ACL" if publication.for_ever else ""
            publication.refused = publication.cause + hint
        self._notes.append(publication)

    def _is_stuck(self) -> bool:
        """A broker may go on answering pings and yet deliver nothing any more.

        mosquitto 2.0.11 does so after a flood has overrun its queue for us.
        """
        _, oldest_s = next(iter(self._in_flight.values()), (None, float("inf")))
        limit_s = self._access.ack_within_s
        if time.monotonic() - oldest_s < limit_s:
            return False
        self.reason = f"no acknowledgement within {limit_s:g} s"
        return True

    def _read(self) -> None:
        """Takes the packets that are there, so that a flood is over as soon as can be."""
        for _ in range(MAX_PACKETS):
            number = len(self._notes)
            self._client.loop_read()
            if len(self._notes) == number:
                return

    # paho's callbacks: notes only.

    def _on_connect(self, _c: Any, _d: Any, _f: Any, code: ReasonCode, connack: Any) -> None:
        if code.is_failure:  # paho calls this for a refusal, too
            self.refused = code.getName()
            return
        self.accepted, self.limits = True, Limits.announced(connack)

    def _on_disconnect(self, _c: Any, _d: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        self.reason = code.getName()

    def _on_publish(self, _c: Any, _d: Any, number: int, code: ReasonCode, _p: Any) -> None:
        self._answers.append((number, code))

    def _on_subscribe(self, _c: Any, _d: Any, number: int, codes: Any, _p: Any) -> None:
        self._notes.append(Subscribed(number, [code.is_failure for code in codes]))

    def _on_message(self, _c: Any, _d: Any, message: paho.MQTTMessage) -> None:
        payload, mark, dropped = bytes(message.payload), self._client.input.mark, ""
        if payload.startswith(mark):
            dropped = f"its {int.from_bytes(payload[16:24], 'big')} bytes are too many"
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic, dropped = error.object.decode(errors="replace"), "its topic is not UTF-8"
        self._notes.append(Received(topic, payload, message.retain, dropped))


def _drain(waker: socket.socket) -> None:
    try:
        while waker.recv(4096):
            pass
    except BlockingIOError:
        pass
