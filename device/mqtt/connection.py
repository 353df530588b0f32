"""One connection's life, from CONNECT to its end, driven by one thread.

paho does the protocol; its documented calls for foreign loops (``loop_read``, ``loop_write``,
``loop_misc``) let the caller own the socket. Its callbacks only take notes, so nothing that
goes wrong in our code can hurt its state. Nothing is left in the library's queues: what was not
acknowledged is sent again by its owner (retained topics, outbox) over the next connection.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device.mqtt.access import BrokerAccess
from device.mqtt.message import Message

ANSWER_WITHIN_S = 10.0  # for the broker's CONNACK
LEAVE_WITHIN_S = 2.0  # for the acknowledgements of the last words
MAX_INFLIGHT = 20
MAX_PACKETS = 200  # read at a time, before we send again


class Session(Protocol):
    """Whoever uses the connection; called from its thread only."""

    def connected(self, connection: Connection) -> None:
        """The broker has accepted us: subscribe, and say everything that is retained."""

    def pump(self, connection: Connection) -> None:
        """Send what waits; called after every wake-up."""

    def acknowledged(self, number: int, refusal: str | None) -> None:
        """The broker has (or, with a reason, refuses) the publication ``number``."""

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        """A message for us."""

    def denied(self, topics: Sequence[str]) -> None:
        """The broker does not let us subscribe to these."""

    def lost(self) -> None:
        """The connection has ended; nothing in flight will be acknowledged any more."""

    def leaving(self, connection: Connection) -> None:
        """Last words before a clean end."""


@dataclass(frozen=True)
class Ending:
    """How a connection ended.

    Attributes:
        accepted: whether the broker had accepted us.
        refused: the broker's reason when it said no.
        reason: why it ended after that; empty when we ended it.
    """

    accepted: bool
    refused: str = ""
    reason: str = ""


class Connection:
    """Drives one paho client.

    Args:
        access: the broker.
        version: MQTT 5 or 3.1.1.
        session: who speaks and listens.
        will: what the broker says when we vanish.
        waker: becomes readable when there is something to send.
        leave: true when it is time to end.
    """

    def __init__(
        self,
        access: BrokerAccess,
        version: MQTTProtocolVersion,
        session: Session,
        will: Message | None,
        waker: socket.socket,
        leave: Callable[[], bool],
    ) -> None:
        self._access, self._session, self._waker, self._leave = access, session, waker, leave
        self._notes: list[Callable[[], None]] = []
        self._unacknowledged: dict[int, float] = {}  # number -> when it was sent
        self._subscriptions: dict[int, Sequence[str]] = {}
        self._accepted, self._refused, self._reason = False, "", ""
        self._client = self._make_client(version, will)

    def _make_client(self, version: MQTTProtocolVersion, will: Message | None) -> paho.Client:
        is_5 = version == MQTTProtocolVersion.MQTTv5
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._access.client_id,
            clean_session=None if is_5 else True,
            protocol=version,
            reconnect_on_failure=False,
        )
        if self._access.username or self._access.password:
            client.username_pw_set(self._access.username, self._access.password or None)
        if self._access.tls:
            client.tls_set_context(self._access.tls)
        if will:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.max_inflight_messages = MAX_INFLIGHT
        client.connect_timeout = ANSWER_WITHIN_S / 2
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def publish(self, message: Message) -> int:
        """Hands a message to the broker; its number comes back in ``acknowledged``."""
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        if message.qos:
            self._unacknowledged[info.mid] = time.monotonic()
        return info.mid

    def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribes at QoS 1."""
        _, number = self._client.subscribe([(topic, 1) for topic in topics])
        if number is not None:
            self._subscriptions[number] = topics

    def run(self, on_accepted: Callable[[], None]) -> Ending:
        """Connects and stays until the end.

        Args:
            on_accepted: called once the broker has accepted us, before the session.

        Raises:
            OSError: no connection could be made.
        """
        self._client.connect(self._access.host, self._access.port, self._access.keepalive_s)
        answer_by_s = time.monotonic() + ANSWER_WITHIN_S
        greeted = False
        try:
            while self._step():
                if self._accepted and not greeted:
                    greeted = True
                    on_accepted()
                    self._session.connected(self)
                if greeted:
                    self._session.pump(self)
                    if self._is_stuck():
                        break
                elif time.monotonic() > answer_by_s:
                    break
                if self._leave():
                    if greeted:
                        self._part()
                    break
        finally:
            if stream := self._client.socket():
                stream.close()
        return Ending(self._accepted, self._refused, self._reason)

    def _is_stuck(self) -> bool:
        """A broker may go on answering pings and yet deliver nothing any more.

        mosquitto 2.0.11 does so after a flood has overrun its queue for us.
        """
        oldest_s = next(iter(self._unacknowledged.values()), None)
        limit_s = self._access.ack_within_s
        if oldest_s is None or time.monotonic() - oldest_s < limit_s:
            return False
        self._reason = f"no acknowledgement within {limit_s:g} s"
        return True

    def _part(self) -> None:
        """Last words, and a DISCONNECT, after which the broker keeps the will to itself."""
        self._session.leaving(self)
        by_s = time.monotonic() + LEAVE_WITHIN_S
        while self._unacknowledged and time.monotonic() < by_s and self._step():
            self._session.pump(self)
        self._client.disconnect()
        while self._client.want_write() and time.monotonic() < by_s and self._step():
            pass
        self._reason = ""

    def _step(self) -> bool:
        """Waits for the network or a wake-up, moves bytes, passes notes on; False at the end."""
        stream = self._client.socket()
        if stream is None:
            return False
        decrypted: Any = getattr(stream, "pending", int)  # TLS: bytes that select cannot see
        writers = [stream] if self._client.want_write() else []
        timeout_s = 0.0 if decrypted() else 0.2 if self._unacknowledged else 1.0
        readable, _, _ = select.select([stream, self._waker], writers, [], timeout_s)
        if self._waker in readable:
            _drain(self._waker)
        if stream in readable or decrypted():
            self._read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        notes, self._notes = self._notes, []
        for note in notes:
            note()
        return self._client.socket() is not None and not self._refused

    def _read(self) -> None:
        """Takes the packets that are there, so that a flood is over as soon as can be."""
        for _ in range(MAX_PACKETS):
            number = len(self._notes)
            self._client.loop_read()
            if len(self._notes) == number:
                return

    # paho's callbacks: notes only.

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        if code.is_failure:  # paho calls this for a refusal, too
            self._refused = code.getName()
            return
        self._accepted = True

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        self._reason = code.getName()

    def _on_publish(
        self, _client: paho.Client, _data: Any, number: int, code: ReasonCode, _props: Properties
    ) -> None:
        self._unacknowledged.pop(number, None)
        refusal = code.getName() if code.is_failure else None
        self._notes.append(lambda: self._session.acknowledged(number, refusal))

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, number: int, codes: list[ReasonCode], _props: Any
    ) -> None:
        topics = self._subscriptions.pop(number, ())
        refused = [topic for topic, code in zip(topics, codes, strict=False) if code.is_failure]
        if refused:
            self._notes.append(lambda: self._session.denied(refused))

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        topic, payload, retained = message.topic, bytes(message.payload), message.retain
        self._notes.append(lambda: self._session.received(topic, payload, retained))


def _drain(waker: socket.socket) -> None:
    try:
        while waker.recv(4096):
            pass
    except BlockingIOError:
        pass
