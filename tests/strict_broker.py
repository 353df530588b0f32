"""A small MQTT broker that announces limits, holds clients to them, and writes down what it saw.

It is for what mosquitto does not do on demand: limits in CONNACK, refusals, a wrong version,
packets that are none. It carries nothing from one client to another.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
QUOTA_EXCEEDED, NOT_AUTHORIZED, UNSPECIFIED = 0x97, 0x87, 0x80


@dataclass
class Published:
    """One PUBLISH as it came."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    in_flight: int


@dataclass
class StrictBroker:
    """Listens on a free loopback port from construction on.

    Attributes:
        properties: of CONNACK, encoded.
        receive_maximum: publications in flight; one more ends the connection.
        maximum_packet_size: one that is larger ends the connection.
        maximum_qos: one above ends the connection.
        retain: whether a retained publication is taken.
        versions: protocol levels that are accepted; 5 and 4 (3.1.1).
        refuse: the reason code for a publication by topic, 0 to accept it.
        denies_subscriptions: answers each with a refusal.
        greeting: raw bytes that follow the answer to the first subscription.
        leave_at_once: ends each connection as soon as it was accepted.
        ack_delay_s: before each acknowledgement.
    """

    receive_maximum: int = 0
    maximum_packet_size: int = 0
    maximum_qos: int = 1
    retain: bool = True
    server_keep_alive: int = 0
    versions: tuple[int, ...] = (4, 5)
    refuse: Callable[[str], int] = lambda topic: 0
    denies_subscriptions: bool = False
    greeting: bytes = b""
    leave_at_once: bool = False
    ack_delay_s: float = 0.0
    published: list[Published] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    connects: list[int] = field(default_factory=list)  # protocol levels
    announced: list[bytes] = field(default_factory=list)  # properties of each CONNECT
    pings_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._streams: list[socket.socket] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> StrictBroker:
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for stream in self._streams:
            stream.close()
        self._listener.join(5.0)

    def cut_off(self) -> None:
        """Ends the connections there are."""
        for stream in self._streams:
            with suppress(OSError):  # it has ended
                stream.shutdown(socket.SHUT_RDWR)

    def topics(self) -> list[str]:
        """The last parts of what was published, in order."""
        return [each.topic.rpartition("/")[2] for each in self.published]

    def _listen(self) -> None:
        while True:
            try:
                stream, _ = self._server.accept()
            except OSError:
                return
            self._streams.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream:
            try:
                Visit(self, stream).run()
            except (EOFError, OSError):
                return

    def connack_properties(self) -> bytes:
        """The limits that differ from the protocol's defaults."""
        found = b""
        if self.receive_maximum:
            found += b"\x21" + struct.pack(">H", self.receive_maximum)
        if self.maximum_packet_size:
            found += b"\x27" + struct.pack(">I", self.maximum_packet_size)
        if self.maximum_qos < 1:
            found += b"\x24\0"
        if not self.retain:
            found += b"\x25\0"
        if self.server_keep_alive:
            found += b"\x13" + struct.pack(">H", self.server_keep_alive)
        return found


class Visit:
    """One connection."""

    def __init__(self, broker: StrictBroker, stream: socket.socket) -> None:
        self._broker, self._stream = broker, stream
        self._level, self._in_flight = 5, 0
        self._sending = threading.Lock()

    def run(self) -> None:
        """Serves until one side ends it."""
        while True:
            header, body, size = self._read_packet()
            kind = header >> 4
            if kind == CONNECT and not self._accept(body):
                return
            if kind == PUBLISH and not self._take(header, body, size):
                return
            if kind == SUBSCRIBE:
                self._subscribe(body)
            if kind == PINGREQ:
                self._broker.pings_s.append(time.monotonic())
                self._send(b"\xd0\0")
            if kind == DISCONNECT:
                return

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._stream.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _read_packet(self) -> tuple[int, bytes, int]:
        header, length, shift, size = self._read(1)[0], 0, 0, 1
        while True:
            byte = self._read(1)[0]
            length, shift, size = length | (byte & 127) << shift, shift + 7, size + 1
            if byte < 128:
                return header, self._read(length), size + length

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._stream.sendall(data)

    def _accept(self, body: bytes) -> bool:
        self._level, flags = body[6], body[7]
        self._broker.connects.append(self._level)
        if self._level not in self._broker.versions:
            self._send(b"\x20\x03\0\x84\0" if self._level == 5 else b"\x20\x02\0\x01")
            return False
        properties = self._broker.connack_properties()
        code = 0
        if flags & 4 and flags >> 3 & 3 > self._broker.maximum_qos:
            code = 0x9B
        elif flags & 4 and flags & 32 and not self._broker.retain:
            code = 0x9A
        if self._level == 5:
            self._broker.announced.append(body[11 : 11 + body[10]])
            size = len(properties)
            self._send(bytes([0x20, 3 + size, 0, code, size]) + properties)
        else:
            self._send(b"\x20\x02\0\0")
        return code == 0 and not self._broker.leave_at_once

    def _take(self, header: int, body: bytes, size: int) -> bool:
        broker, qos, retain = self._broker, header >> 1 & 3, bool(header & 1)
        (length,) = struct.unpack(">H", body[:2])
        topic, at = body[2 : 2 + length].decode(), 2 + length
        number = body[at : at + 2] if qos else b""
        at += 2 if qos else 0
        at += 1 + body[at] if self._level == 5 else 0
        delay_s = broker.ack_delay_s  # before a test sees the publication and changes it
        with self._sending:
            self._in_flight += bool(qos)
        broker.published.append(Published(topic, body[at:], qos, retain, self._in_flight))
        for is_wrong, code, what in (
            (
                broker.receive_maximum and self._in_flight > broker.receive_maximum,
                0x93,
                "in flight",
            ),
            (broker.maximum_packet_size and size > broker.maximum_packet_size, 0x95, "size"),
            (qos > broker.maximum_qos, 0x9B, "QoS"),
            (retain and not broker.retain, 0x9A, "retain"),
        ):
            if is_wrong:
                broker.violations.append(what)
                self._send(bytes([0xE0, 1, code]))
                return False
        if qos:
            code = broker.refuse(topic) if self._level == 5 else 0
            timer = threading.Timer(delay_s, self._acknowledge, (number, code))
            timer.daemon = True
            timer.start()
        return True

    def _acknowledge(self, number: bytes, code: int) -> None:
        answer = b"\x40\x03" + number + bytes([code]) if code else b"\x40\x02" + number
        with self._sending:
            self._in_flight -= 1
            try:
                self._stream.sendall(answer)
            except OSError:  # the client has gone
                return

    def _subscribe(self, body: bytes) -> None:
        rest = body[3 + body[2] :] if self._level == 5 else body[2:]
        count = 0
        while rest:
            (length,) = struct.unpack(">H", rest[:2])
            rest, count = rest[3 + length :], count + 1
        properties = b"\0" if self._level == 5 else b""
        head = bytes([0x90, 2 + len(properties) + count])
        answers = (b"\x80" if self._broker.denies_subscriptions else b"\1") * count
        self._send(head + body[:2] + properties + answers + self._broker.greeting)
        self._broker.greeting = b""
