"""Makes the parts that speak MQTT, for ``build``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from device.daemon.board import Board
from device.daemon.state_file import StateFile
from device.errors import StorageError
from device.mqtt.access import BrokerAccess, broker_access, embedded_access
from device.mqtt.command_queue import CommandQueue
from device.mqtt.discovery import (
    BIRTH_DELAY_S,
    LAYOUT,
    Announcer,
    discovery_payload,
    discovery_topic,
    retraction_payload,
)
from device.mqtt.disk_outbox import DiskOutbox
from device.mqtt.embedded_broker import EmbeddedBroker
from device.mqtt.identity import Identity, Topics, find_support_url, make_device_id, make_name
from device.mqtt.outbox import Outbox
from device.mqtt.payloads import encode
from device.mqtt.publisher import MqttPublisher
from device.settings import Settings
from device.settings.tree import MOST_IN_MEMORY
from device.web.server import url_for_others

log = logging.getLogger("mien.outbox")

Reach = Callable[[], BrokerAccess]


@dataclass(frozen=True)
class BrokerSide:
    """What speaks with the broker.

    Attributes:
        publisher: connects in a thread of its own.
        reach: how the broker is reached; waits for the embedded one.
        commands: where commands arrive.
    """

    publisher: MqttPublisher
    reach: Reach
    commands: CommandQueue


def open_broker_side(
    settings: Settings, state: StateFile, state_dir: Path, stack: ExitStack
) -> BrokerSide:
    """Makes the broker's side, has it listen, and then begins to connect."""
    outbox = make_outbox(settings, state_dir)
    stack.callback(outbox.close)  # where no publisher comes to own it
    publisher, reach = make_publisher(settings, outbox, stack)
    commands = CommandQueue(publisher.respond)
    publisher.listen(publisher.topics("command/+"), commands.receive, is_request=True)
    publisher.listen(publisher.topics("health"), publisher.duplicates.receive)
    # Until the first frame: a crash has left an old word there.
    publisher.retain("camera", b"offline")
    stack.callback(announce(settings, state, publisher).close)
    publisher.start()
    return BrokerSide(publisher, reach, commands)


def make_outbox(settings: Settings, state_dir: Path) -> Outbox:
    """In memory, or on disk where ``outbox.path`` says so (relative: in the state folder).

    Raises:
        ConfigurationError: the file can never be used.
    """
    outbox = settings.outbox
    if not outbox.path:
        return Outbox(outbox.max_events)
    try:
        return DiskOutbox(state_dir / outbox.path, outbox.max_events)
    except StorageError as error:  # a restart must not leave the device dark
        log.error("%s; events wait in memory", error)
        return Outbox(min(outbox.max_events, MOST_IN_MEMORY), str(error))


def make_publisher(
    settings: Settings, outbox: Outbox, stack: ExitStack
) -> tuple[MqttPublisher, Reach]:
    """A publisher to be started, and how the broker is reached.

    The embedded broker is a child process that comes up while the models are being loaded.
    """
    device_id = make_device_id(settings.device.id)
    if settings.mqtt.host:
        broker_access(settings.mqtt, device_id)  # what is wrong with its files is said at once ...
        reach = lambda: broker_access(settings.mqtt, device_id)  # noqa: E731 - ... and renewed ones read
    else:
        broker = EmbeddedBroker(settings.mqtt.port)
        stack.callback(broker.close)
        reach = lambda: embedded_access(broker.port, device_id)  # noqa: E731
    identity = Identity(device_id, make_name(settings.device.name, device_id))
    topics = Topics(settings.mqtt.prefix, device_id)
    publisher = MqttPublisher(reach, topics, identity, outbox=outbox)
    stack.callback(publisher.close)
    return publisher, reach


def announce(
    settings: Settings, state: StateFile, publisher: MqttPublisher, delay_s: float = BIRTH_DELAY_S
) -> Announcer:
    """Discovery, and the retraction of what was announced under another name or no more.

    What has to be retracted is remembered until the broker has it: it may be away at this start.

    Args:
        settings: the tree.
        state: remembers what was announced.
        publisher: not started yet.
        delay_s: at most so long after Home Assistant's birth everything is said again.
    """
    wanted, announcer = settings.home_assistant, Announcer(publisher.repeat, delay_s=delay_s)
    topic = discovery_topic(wanted.prefix, publisher.identity.device_id)
    said = topic if wanted.enabled else ""
    is_old_layout = state.announced == topic and state.layout < LAYOUT
    old = {*state.retracting, state.announced} - {"", said}
    state.remember_announced(said, state.layout if is_old_layout else LAYOUT, old)
    for each in old:
        publisher.announce(each, b"", partial(state.forget_retracted, each))
    if wanted.enabled:
        announcement = discovery_payload(
            publisher.identity,
            publisher.topics,
            wanted.area,
            Board().has_temperature(),
            page=url_for_others(settings.web),
            support_url=find_support_url(),
        )
        say = partial(publisher.announce, topic, encode(announcement))
        if is_old_layout:
            _take_back(state, publisher, topic, say)
        else:
            say()
        publisher.listen(f"{wanted.prefix}/status", announcer.receive)
    return announcer


def _take_back(
    state: StateFile, publisher: MqttPublisher, topic: str, say: Callable[[], None]
) -> None:
    """Takes back what an earlier layout had, and has the announcement said after that."""

    def go_on() -> None:
        say()
        state.remember_announced(topic, LAYOUT, state.retracting)

    publisher.announce(topic, encode(retraction_payload(publisher.identity)), go_on)
