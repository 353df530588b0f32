"""``mien discovery clear``: Home Assistant forgets this device, with ``--all`` the broker too.

A daemon that runs announces itself again at its next connect and at Home Assistant's next birth;
the command says so. What it tells itself all the time is only emptied once it has ended.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from device.errors import BrokerError, UsageError
from device.mqtt.access import BrokerAccess, broker_access
from device.mqtt.discovery import discovery_topic
from device.mqtt.identity import Topics, make_device_id
from device.mqtt.one_shot import OneShotClient, client_for
from device.mqtt.packets import Message
from device.settings import load_settings

RETAINED = ("availability", "camera", "state", "health")  # what a device leaves at its broker
WITHIN_S = 20.0
RUNS = (
    "{device} runs and will announce itself again; stop it, or set home_assistant.enabled = false "
    "and restart it"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    clear = actions.add_parser("clear", help="remove what was announced")
    clear.add_argument(
        "--all",
        action="store_true",
        help=f"also {', '.join(RETAINED)} of a device that was retired (MIEN_DEVICE__ID names "
        "another one than this)",
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Removes the announcement from the configured broker."""
    settings = load_settings(args.config, environment)
    if not settings.mqtt.host:
        raise UsageError("mqtt.host is not set: there is no broker to clear; name it in --config")
    device_id = make_device_id(settings.device.id)
    access = broker_access(settings.mqtt, device_id)
    topics = Topics(settings.mqtt.prefix, device_id)
    runs = read_retained(access, topics("availability")) == b"online"
    if args.all and runs:
        raise UsageError(f"{device_id} runs: stop it first, else it tells everything again")
    announced = discovery_topic(settings.home_assistant.prefix, device_id)
    for topic in [announced, *(topics(name) for name in RETAINED if args.all)]:
        before = read_retained(access, topic)
        retract(access, topic)
        print(f"nothing was on {topic}" if before == b"" else f"removed {topic}")
    if runs:
        print(f"mien: {RUNS.format(device=device_id)}", file=sys.stderr)
    return 0


def read_retained(access: BrokerAccess, topic: str) -> bytes | None:
    """What a broker keeps of a topic; empty for nothing, None where we may not look.

    Raises:
        BrokerError: the broker cannot be reached, or refuses us.
    """
    with client_for(access, "clear") as client:
        found, refused = _look(client, topic)
    return None if refused else found


def retract(access: BrokerAccess, topic: str) -> None:
    """Empties a retained topic and looks whether it is empty: MQTT 3.1.1 tells no refusal.

    Raises:
        BrokerError: the broker cannot be reached, or refuses us or the topic.
    """
    with client_for(access, "clear") as client:
        erased = client.publish(Message(topic, b"", retain=True))
        client.wait_for(lambda: erased.done, WITHIN_S)
        if erased.refused:
            raise BrokerError(f"broker {access} refuses {topic}: {erased.refused}")
        found, refused = _look(client, topic)
        if refused and not client.speaks_5:
            raise BrokerError(f"broker {access}: cannot see whether {topic} is gone: {refused}")
    if found:
        raise BrokerError(f"broker {access} refuses {topic}: it is still there; see its ACL")


def _look(client: OneShotClient, topic: str) -> tuple[bytes, str | None]:
    """The retained payload, and why we may not look.

    Once the second subscription is answered, what the first one brings has come.
    """
    found = [b""]

    def keep(_: str, payload: bytes, retained: bool) -> None:
        if retained:
            found.append(payload)

    for _ in range(2):
        looked = client.subscribe(topic, keep)
        client.wait_for(lambda: looked.answered, WITHIN_S)  # noqa: B023 - called at once
    return found[-1], looked.refused
