"""``mien watch``: follows the events of all appliances of a broker, one line each, for people."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TextIO

from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.connection import Connection
from device.mqtt.link import Link

COLORS = {"angry": 31, "disgust": 32, "fear": 35, "happy": 33, "sad": 34, "surprise": 36}
ESCAPE = "\x1b"
MAX_WAITING = 1000
SHOWN = ("availability", "camera", "event")
Line = tuple[str, bytes]


class _Follower:
    """The session: subscribes and hands messages to the printing thread."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics
        self.lines: queue.Queue[Line] = queue.Queue(MAX_WAITING)
        self.refused: str | None = None

    def connected(self, connection: Connection) -> None:
        connection.subscribe(self._topics)

    def pump(self, connection: Connection) -> None:
        pass

    def acknowledged(self, number: int, refusal: str | None) -> None:
        pass

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic.rpartition("/")[2] not in SHOWN:
            return  # the demo's small broker sends retained topics that nobody asked for
        if not self.lines.full():  # a stalled terminal must not eat the memory
            self.lines.put_nowait((topic, payload))

    def denied(self, topics: Sequence[str]) -> None:
        self.refused = f"the broker denies the subscription to {', '.join(topics)}; see its ACL"

    def lost(self) -> None:
        pass

    def leaving(self, connection: Connection) -> None:
        pass


def watch(
    access: BrokerAccess, prefix: str, out: TextIO, stop: Callable[[], bool] = lambda: False
) -> None:
    """Prints events, and what becomes of the appliances, until Ctrl-C or ``stop``.

    Args:
        access: the broker; the client id is replaced by one of our own.
        prefix: first part of the topics.
        out: where to print; colours only on a terminal.
        stop: asked several times a second.

    Raises:
        BrokerError: the broker cannot be reached, refuses us, or denies the topics.
    """
    follower = _Follower([f"{prefix}/+/{name}" for name in SHOWN])
    own = replace(access, client_id=f"mien-watch-{uuid.uuid4().hex[:8]}")
    link = Link(own, follower, quiet=True)
    link.start()
    colors = out.isatty()
    was_connected, told = False, None
    try:
        while not stop():
            if was_connected and link.problem != told:
                told = link.problem
                print(f"{'':12} {told or 'connected again'}", file=out, flush=True)
            was_connected = was_connected or link.connected
            if follower.refused or (not was_connected and link.failed):
                raise BrokerError(follower.refused or link.problem or "no connection")
            try:
                topic, payload = follower.lines.get(timeout=0.2)
            except queue.Empty:
                continue
            print(describe(topic, payload, colors), file=out, flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        link.close()


def describe(topic: str, payload: bytes, colors: bool) -> str:
    """One line; whatever a stranger publishes there, no control character reaches the terminal."""
    device_id, name = topic.split("/")[-2:]
    if name != "event":
        return printable(f"{'':12} {device_id}  {name} {payload[:80].decode(errors='replace')}")
    try:
        event: dict[str, Any] = json.loads(payload)
        time = str(event["at"])[11:23]
        expression, previous = str(event["expression"]), event["previous"]
        change = {"appeared": "appeared, ", "vanished": "vanished, last "}.get(
            event["event_type"], f"{previous} -> "
        )
        text = (
            f"{time:12} {device_id}  face {event['track_id']}: {change}{expression} "
            f"{float(event['probability']):.0%}"
        )
        text += "  (late)" if event.get("historical") else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return printable(f"{'':12} {device_id}  not an event: {payload[:80]!r}")
    text = printable(text)
    return (
        f"{ESCAPE}[{COLORS[expression]}m{text}{ESCAPE}[0m"
        if colors and expression in COLORS
        else text
    )


def printable(text: str) -> str:
    """The text without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)
