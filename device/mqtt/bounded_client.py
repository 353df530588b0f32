"""paho's client with what it lacks: bounds on what comes in, and a word on what has gone out."""

from __future__ import annotations

import struct
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import MalformedPacket  # type: ignore[attr-defined]  # 2.1 has it there

MAX_INPUT_BYTES = 1 << 16  # of one packet; a command has at most 4096
KEPT_BYTES = 3 * MAX_INPUT_BYTES  # of a packet that is too long: its topic and enough to tell


class BoundedClient(paho.Client):
    """paho with four things that it lacks (2.1, 2.2).

    It would read whatever length a packet has into memory. Here the rest of a long PUBLISH is read
    past: one byte stands for each piece. It would also end the connection over a PUBLISH whose
    properties it cannot read, although some of them are legal (U+FEFF in a text); if that one is
    retained, it comes again after each connect. Here only the message is dropped. It would ignore
    the broker's keep-alive, and it does not tell how many bytes have left.

    Attributes:
        is_dry: the socket had nothing more.
        num_sent: bytes that the socket has taken.
        on_unreadable: gets why, the topic as it came, and whether the message was retained.
    """

    is_dry = False
    num_sent = 0
    on_unreadable: Callable[[str, bytes, bool], None]

    @property
    def num_unsent(self) -> int:
        """Bytes that wait for the socket."""
        return sum(packet["to_process"] for packet in list(self._out_packet))

    def keep_alive(self, keepalive_s: int) -> None:
        """Pings so often, 0: never; paho's own setter refuses while it is connected."""
        self._keepalive = keepalive_s

    def _sock_send(self, buf: bytes | bytearray) -> int:
        sent = super()._sock_send(buf)
        self.num_sent += sent
        return sent

    def _sock_recv(self, bufsize: int) -> bytes:
        self.is_dry = True
        data = super()._sock_recv(min(bufsize, MAX_INPUT_BYTES))
        self.is_dry = False
        packet = self._in_packet
        if data and len(packet["packet"]) >= KEPT_BYTES:
            if packet["command"] & 0xF0 != paho.PUBLISH:
                raise ConnectionError("a packet that is too long")
            packet["to_process"] -= len(data) - 1
            return data[:1]
        return data

    def _packet_handle(self) -> MQTTErrorCode:
        try:
            return super()._packet_handle()
        except (MalformedPacket, UnicodeDecodeError, struct.error) as error:
            return self._drop(error)

    def _drop(self, error: Exception) -> MQTTErrorCode:
        """Acknowledges a PUBLISH that cannot be read; the broker would send it again."""
        command, packet = self._in_packet["command"], self._in_packet["packet"]
        qos, start = command >> 1 & 3, 2 + int.from_bytes(packet[:2], "big")
        if command & 0xF0 != paho.PUBLISH or qos > 1 or len(packet) < start + 2 * qos:
            raise MalformedPacket(str(error)) from error
        self.on_unreadable(str(error), bytes(packet[2:start]), bool(command & 1))
        if not qos:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._send_puback(int.from_bytes(packet[start : start + 2], "big"))
