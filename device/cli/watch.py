"""``mien watch``: follows the events of all appliances of a broker, one line each, for people."""

from __future__ import annotations

import argparse
import json
import queue
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TextIO

from device.cli.arguments import given_text
from device.errors import BrokerError, UsageError
from device.mqtt.access import BrokerAccess, broker_access
from device.mqtt.one_shot import client_for
from device.settings import load_settings
from device.settings.hosts import split_address, without_password

COLORS = {"angry": 31, "disgust": 32, "fear": 35, "happy": 33, "sad": 34, "surprise": 36}
ESCAPE = "\x1b"
MAX_WAITING = 1000
SHOWN = ("availability", "camera", "event")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--broker",
        type=given_text,
        metavar="HOST[:PORT]",
        help="default: the settings', else 127.0.0.1:1883",
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints one line an event until Ctrl-C."""
    mqtt = load_settings(args.config, environment).mqtt
    if args.broker is not None:
        try:
            host, port = split_address(args.broker)
        except ValueError as error:
            raise UsageError(f"--broker {without_password(args.broker)}: {error}") from error
        mqtt = replace(mqtt, host=host, port=port)
    elif not mqtt.host:
        mqtt = replace(mqtt, host="127.0.0.1")
    watch(broker_access(mqtt, "watch"), mqtt.prefix, sys.stdout)
    return 0


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
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
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
