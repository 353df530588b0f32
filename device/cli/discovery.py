"""``mien discovery clear``: Home Assistant forgets this device.

A daemon that runs with ``home_assistant.enabled = true`` announces itself again at its next
connect; turn that off or stop it first.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from device.errors import BrokerError, UsageError
from device.mqtt.access import BrokerAccess, broker_access
from device.mqtt.discovery import discovery_topic
from device.mqtt.identity import make_device_id
from device.mqtt.one_shot import client_for
from device.mqtt.packets import Message
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


def retract(access: BrokerAccess, topic: str, within_s: float = 20.0) -> None:
    """Empties a retained topic and looks whether it is empty: MQTT 3.1.1 tells no refusal.

    Raises:
        BrokerError: the broker cannot be reached, or refuses us or the topic.
    """
    found: list[bytes] = []

    def keep(_: str, payload: bytes, retained: bool) -> None:
        if retained and payload:
            found.append(payload)

    with client_for(access, "clear") as client:
        for _ in range(2):  # once the second is acknowledged, all that is retained has come
            erased = client.publish(Message(topic, b"", retain=True))
            client.wait_for(lambda: erased.done, within_s)  # noqa: B023 - called at once
            if erased.refused:
                raise BrokerError(f"broker {access} refuses {topic}: {erased.refused}")
            looked = client.subscribe(topic, keep)
            client.wait_for(lambda: looked.answered, within_s)  # noqa: B023
            if looked.refused and not client.speaks_5:
                raise BrokerError(
                    f"broker {access}: cannot see whether {topic} is gone: {looked.refused}"
                )
    if found:
        raise BrokerError(f"broker {access} refuses {topic}: it is still there; see its ACL")
