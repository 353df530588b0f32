"""One connection's life, from CONNECT to its end, driven by one thread.

paho does the protocol; its documented calls for foreign loops (``loop_read``, ``loop_write``,
``loop_misc``) let the caller own the socket. What the broker announces in CONNACK is kept (MQTT 5,
section 3.2.2.3), and what we take is announced. Nothing stays in the library's queues: the owner
sends what was not acknowledged again over the next connection.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device.mqtt.access import BrokerAccess
from device.mqtt.bounded_client import MAX_INPUT_BYTES, BoundedClient
from device.mqtt.packets import Message, Publication, ReplyTo, Subscription

ANSWER_WITHIN_S = 10.0  # for the broker's CONNACK
MAX_IN_FLIGHT = 20
MAX_PACKET_BYTES = 268_435_455 + 5  # what the protocol can express
SEND_BYTES = 1 << 16  # kept in the kernel, where nobody sees whether a slow network takes them
MAX_PACKETS = 200  # read at a time, before we send again
FOR_EVER = (0x87, 0x90, 0x99)  # not authorized, topic or payload not accepted; others may pass


@dataclass
class _Sent:
    """In flight since when, and the number of bytes with which it has left as a whole."""

    publication: Publication
    since_s: float
    end: int


class Connection:
    """Drives one paho client.

    Args:
        access: the broker.
        is_5: speaks MQTT 5, else 3.1.1.
        will: what the broker says when we vanish.
        waker: becomes readable when there is something to send.
        finished: gets each publication that is acknowledged or refused, and each subscription
            that is answered.
        received: gets why a message cannot be read, its topic and payload, whether it was retained
            and where an answer is wanted.

    Attributes:
        accepted: the broker has accepted us.
        refused: the broker's reason when it said no.
        reason: why it ended after that.
        subscriptions: what the broker was asked for.
        in_flight: what was sent and not answered yet, by number.
    """

    def __init__(
        self,
        access: BrokerAccess,
        is_5: bool,
        will: Message | None,
        waker: socket.socket,
        finished: Callable[[Publication | Subscription], None],
        received: Callable[[str, str, bytes, bool, ReplyTo | None], None],
    ) -> None:
        self.access, self.is_5, self.started_s = access, is_5, time.monotonic()
        self.accepted, self.refused, self.reason = False, "", ""
        self.subscriptions: list[Subscription] = []
        self.in_flight: dict[int, _Sent] = {}
        self._waker, self._finished, self._received = waker, finished, received
        self._left = 0  # bytes that had left when it was looked at last
        self._asked: dict[int, Subscription] = {}
        self._answers: list[tuple[int, ReasonCode]] = []
        self._limits = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
        self._client = client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=access.client_id,
            clean_session=None if is_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
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
        client.on_unreadable = self._on_unreadable

    def open(self) -> None:
        """Connects; the broker's answer comes in a later ``step``.

        Raises:
            OSError: no connection could be made.
        """
        properties, access = None, self.access
        if self.is_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = MAX_IN_FLIGHT
            properties.MaximumPacketSize = MAX_INPUT_BYTES
        self._client.connect(access.host, access.port, access.keepalive_s, properties=properties)
        # Looking the name up, TCP and TLS took time that is not the broker's.
        if isinstance(stream := self._client.socket(), socket.socket):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        self._client.keep_alive(0)  # until the broker has accepted us
        self.started_s = time.monotonic()

    @property
    def unanswered(self) -> list[Publication]:
        """What was in flight at the end, in its order."""
        return [sent.publication for sent in self.in_flight.values()]

    @property
    def room(self) -> int:
        """Publications that may be sent now; none while the socket is full, where they would wait."""
        if self._client.want_write():
            return 0
        most: int = getattr(self._limits, "ReceiveMaximum", MAX_IN_FLIGHT)
        return min(MAX_IN_FLIGHT, most) - len(self.in_flight)

    def publish(self, publication: Publication) -> None:
        """Sends a publication, or finishes one that cannot be sent."""
        message = publication.message
        if unsayable := self._unsayable(message):
            publication.cause, publication.refused = unsayable
            publication.for_ever = True
            self._finished(publication)
            return
        qos = min(message.qos, getattr(self._limits, "MaximumQoS", 1))
        retain = message.retain and bool(getattr(self._limits, "RetainAvailable", 1))
        properties = self._properties(message)
        sent = self._client.publish(message.topic, message.payload, qos, retain, properties)
        number = sent.mid
        end = self._client.num_sent + self._client.num_unsent
        self.in_flight[number] = _Sent(publication, time.monotonic(), end)

    def _properties(self, message: Message) -> Properties | None:
        """MQTT 5: what the payload is, and which request it answers."""
        if not self.is_5 or not (message.content_type or message.correlation):
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if message.content_type:
            properties.ContentType = message.content_type
        if message.correlation:
            properties.CorrelationData = message.correlation
        return properties

    def _unsayable(self, message: Message) -> tuple[str, str] | None:
        """Why the message cannot be said here: the cause, and the sentence."""
        try:
            topic = message.topic.encode()
        except UnicodeEncodeError:
            return "topic", "the topic is not UTF-8"
        if not 0 < len(topic) < 1 << 16 or set(message.topic) & set("#+\0"):
            return "topic", "nobody may publish to such a topic"
        size = len(topic) + len(message.payload) + 4
        properties = self._properties(message)
        size += len(properties.pack()) if properties else self.is_5  # type: ignore[no-untyped-call]
        size += 2 + sum(size >= 128**power for power in (1, 2, 3))
        most: int = getattr(self._limits, "MaximumPacketSize", MAX_PACKET_BYTES)
        if size > most:
            return "size", f"its {size} bytes are more than the {most} that the broker takes"
        return None

    def subscribe(self, subscription: Subscription) -> None:
        """Subscribes at QoS 1."""
        self.subscriptions.append(subscription)
        self._asked[self._client.subscribe(subscription.topic_filter, 1)[1] or 0] = subscription

    def disconnect(self) -> None:
        """Sends a DISCONNECT, after which the broker keeps the will to itself."""
        self._client.disconnect()
        self.step(0.0)

    def close(self) -> None:
        """Closes the socket, whatever has happened."""
        if stream := self._client.socket():
            stream.close()

    def step(self, timeout_s: float) -> bool:
        """Waits for the network or a wake-up and moves bytes; False at the end."""
        client, stream = self._client, self._client.socket()
        if stream is None or self.refused or self._is_stuck():
            return False
        writers = [stream] if client.want_write() else []
        wait_s = timeout_s if client.is_dry and not self._answers else 0.0
        readable, _, _ = select.select([stream, self._waker], writers, [], wait_s)
        if self._waker in readable:
            self._waker.recv(4096)
        for _ in range(MAX_PACKETS):  # so that a flood is over as soon as can be
            client.loop_read()
            if client.is_dry:
                break
        if client.want_write():
            client.loop_write()
        if not (self.in_flight and client.want_write()):  # else a ping would wait behind it
            client.loop_misc()
        answers, self._answers = self._answers, []
        for number, code in answers:
            self._finish(number, code)
        return client.socket() is not None

    def _is_stuck(self) -> bool:
        """A broker may go on answering pings and yet deliver nothing any more.

        mosquitto 2.0.11 does so after a flood has overrun its queue for us.
        """
        now_s, left = time.monotonic(), self._client.num_sent
        if left > self._left:  # a slow network still takes bytes of what has not left as a whole
            for each in self.in_flight.values():
                if each.end > self._left:
                    each.since_s = now_s
            self._left = left
        oldest = next(iter(self.in_flight.values()), None)
        if oldest is None or now_s - oldest.since_s < self.access.ack_within_s:
            return False
        self.reason = f"no acknowledgement within {self.access.ack_within_s:g} s"
        return True

    def _finish(self, number: int, code: ReasonCode) -> None:
        if not (sent := self.in_flight.pop(number, None)):
            return
        publication = sent.publication
        publication.acknowledged = not code.is_failure
        if code.is_failure:
            publication.cause, publication.for_ever = code.getName(), code.value in FOR_EVER
            hint = "; see its ACL" if publication.for_ever else ""
            publication.refused = publication.cause + hint
        self._finished(publication)

    # paho's callbacks.

    def _on_connect(self, _c: Any, _d: Any, _f: Any, code: ReasonCode, connack: Any) -> None:
        if code.is_failure:  # paho calls this for a refusal, too
            self.refused = code.getName()
            return
        self.accepted, self._limits = True, connack
        self._client.keep_alive(getattr(connack, "ServerKeepAlive", self.access.keepalive_s))

    def _on_disconnect(self, _c: Any, _d: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        self.reason = code.getName()

    def _on_publish(self, _c: Any, _d: Any, number: int, code: ReasonCode, _p: Any) -> None:
        self._answers.append((number, code))  # at QoS 0 it comes before we know the number

    def _on_subscribe(self, _c: Any, _d: Any, number: int, codes: Any, _p: Any) -> None:
        if not (subscription := self._asked.pop(number, None)):
            return
        subscription.answered = True
        if any(code.is_failure for code in codes):
            subscription.refused = (
                f"the broker denies the subscription to {subscription.topic_filter}; see its ACL"
            )
        self._finished(subscription)

    def _on_unreadable(self, why: str, topic: bytes, retained: bool) -> None:
        self._received(
            f"cannot read it: {why}", topic.decode(errors="replace"), b"", retained, None
        )

    def _on_message(self, _c: Any, _d: Any, message: paho.MQTTMessage) -> None:
        dropped = ""
        if len(message.payload) > MAX_INPUT_BYTES:
            dropped = f"more than {MAX_INPUT_BYTES} bytes are too many"
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic, dropped = error.object.decode(errors="replace"), "its topic is not UTF-8"
        wanted = getattr(message.properties, "ResponseTopic", "")
        reply_to = ReplyTo(wanted, getattr(message.properties, "CorrelationData", b""))
        payload = bytes(message.payload)
        self._received(dropped, topic, payload, message.retain, reply_to if wanted else None)
