"""What commands do at a broker: ``mien watch`` follows it, ``doctor`` asks it, ``clear`` empties a topic."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TextIO

from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.client import MqttClient
from device.mqtt.packets import Message

COLORS = {"angry": 31, "disgust": 32, "fear": 35, "happy": 33, "sad": 34, "surprise": 36}
ESCAPE = "\x1b"
MAX_WAITING = 1000
SHOWN = ("availability", "camera", "event")


@contextmanager
def client_for(access: BrokerAccess, command: str) -> Iterator[MqttClient]:
    """A quiet client with an id of its own, for a command that ends."""
    own = replace(access, client_id=f"mien-{command}-{uuid.uuid4().hex[:8]}")
    client = MqttClient(own, quiet=True).start()
    try:
        yield client
    finally:
        client.close()


def probe(access: BrokerAccess, within_s: float = 6.0) -> None:
    """Asks once whether a broker takes us, for ``mien doctor``.

    Raises:
        BrokerError: it cannot be reached, refuses us, or does not answer in time.
    """
    with client_for(access, "probe") as client:
        client.wait_for(lambda: client.connected, within_s)


def retract(access: BrokerAccess, topic: str, within_s: float = 20.0) -> None:
    """Empties a retained topic and looks whether it is empty: MQTT 3.1.1 tells no refusal.

    Raises:
        BrokerError: the broker cannot be reached, or refuses us or the topic.
    """
    found: list[bytes] = []
    with client_for(access, "clear") as client:
        for _ in range(2):  # once the second is acknowledged, all that is retained has come
            erased = client.publish(Message(topic, b"", retain=True))
            client.wait_for(lambda: erased.done, within_s)  # noqa: B023 - called at once
            if erased.refused:
                raise BrokerError(f"broker {access} refuses {topic}: {erased.refused}")
            looked = client.subscribe(topic, lambda _, payload, __: found.append(payload))
            client.wait_for(lambda: looked.answered, within_s)  # noqa: B023
    if any(found):
        raise BrokerError(f"broker {access} refuses {topic}: it is still there; see its ACL")


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
    lines: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def keep(topic: str, payload: bytes, _: bool) -> None:
        if lines.qsize() < MAX_WAITING:  # a stalled terminal must not eat the memory
            lines.put((topic, payload))

    colors = out.isatty()
    with client_for(access, "watch") as client, suppress(KeyboardInterrupt):
        wanted = [client.subscribe(f"{prefix}/+/{name}", keep) for name in SHOWN]
        client.wait_for(lambda: client.connected or stop(), float("inf"))
        told = None
        while not stop():
            if client.problem != told:
                told = client.problem
                print(f"{'':12} {told or 'connected again'}", file=out, flush=True)
            if refused := next((each.refused for each in wanted if each.refused), None):
                raise BrokerError(refused)
            with suppress(queue.Empty):
                print(describe(*lines.get(timeout=0.2), colors), file=out, flush=True)


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
