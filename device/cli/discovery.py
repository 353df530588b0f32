"""``mien discovery clear``: Home Assistant forgets this device.

A daemon that runs with ``home_assistant.enabled = true`` announces itself again at its next
connect; turn that off or stop it first.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from device.errors import UsageError
from device.mqtt.access import broker_access
from device.mqtt.discovery import discovery_topic
from device.mqtt.identity import make_device_id
from device.mqtt.watch import retract
from device.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("clear", help="remove what was announced")


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Removes the announcement from the configured broker."""
    settings = load_settings(args.config, environment)
    if not settings.mqtt.host:
        raise UsageError("mqtt.host is not set: there is no broker to clear; name it in --config")
    device_id = make_device_id(settings.device.id)
    topic = discovery_topic(settings.home_assistant.prefix, device_id)
    retract(broker_access(settings.mqtt, device_id), topic)
    print(f"removed {topic}")
    return 0
