"""``mien watch``: follows the events of running appliances, for people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace

from device.errors import UsageError
from device.mqtt.access import broker_access
from device.mqtt.watch import watch
from device.settings import load_settings
from device.settings.tree import Mqtt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="default: the settings', else 127.0.0.1:1883"
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints one line an event until Ctrl-C."""
    mqtt = load_settings(args.config, environment).mqtt
    if args.broker:
        mqtt = _with_address(mqtt, args.broker)
    elif not mqtt.host:
        mqtt = replace(mqtt, host="127.0.0.1")
    watch(broker_access(mqtt, "watch"), mqtt.prefix, sys.stdout)
    return 0


def _with_address(mqtt: Mqtt, address: str) -> Mqtt:
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):  # no port, or an IPv6 address in brackets
        host, port = address, "0"
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--broker {address}: expected HOST or HOST:PORT")
    return replace(mqtt, host=host.strip("[]"), port=int(port))
