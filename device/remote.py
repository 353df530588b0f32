"""Joins what people reach over the network: commands, health, discovery, twins."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from device.control import RemoteControl
from device.errors import StorageError
from device.live import LiveActions
from device.mqtt.commands import CommandDesk
from device.mqtt.discovery import BIRTH_DELAY_S, Announcer, discovery_topic, encode_discovery
from device.mqtt.disk_outbox import DiskOutbox
from device.mqtt.identity import DuplicateIdWatch
from device.mqtt.outbox import MemoryOutbox, Outbox
from device.mqtt.publisher import MqttPublisher
from device.pipeline import Parts
from device.service.board import Board
from device.service.health import HealthReporter, Report, Sources
from device.service.state_file import StateFile
from device.settings import Settings
from device.settings.tree import MOST_IN_MEMORY

log = logging.getLogger("mien.outbox")


def make_outbox(settings: Settings, state_dir: Path) -> Outbox:
    """In memory, or on disk where ``outbox.path`` says so (relative: in the state folder).

    Raises:
        ConfigurationError: the file can never be used.
    """
    outbox = settings.outbox
    if not outbox.path:
        return MemoryOutbox(outbox.max_events)
    try:
        return DiskOutbox(state_dir / outbox.path, outbox.max_events)
    except StorageError as error:  # a restart must not leave the device dark
        log.error("%s; events wait in memory", error)
        return MemoryOutbox(min(outbox.max_events, MOST_IN_MEMORY), str(error))


class Remote:
    """Everything remote of one daemon; made before the publisher starts.

    Args:
        settings: remembered ones included.
        state: what is remembered.
        publisher: not started yet.
        birth_delay_s: at most so long after Home Assistant's birth everything is said again.
    """

    def __init__(
        self,
        settings: Settings,
        state: StateFile,
        publisher: MqttPublisher,
        birth_delay_s: float = BIRTH_DELAY_S,
    ) -> None:
        self._settings, self._state, self._publisher = settings, state, publisher
        self._desk = CommandDesk(publisher.respond)
        self._twin = DuplicateIdWatch(publisher.identity)
        publisher.listen(publisher.topics("command/+"), self._desk.receive)
        publisher.listen(publisher.topics("health"), self._twin.receive)
        self._announcer = Announcer(publisher.repeat, delay_s=birth_delay_s)
        self._announce()

    def attach(self, parts: Parts, actions: LiveActions, stack: ExitStack) -> RemoteControl:
        """Begins to carry out commands and to report health.

        Raises:
            ConfigurationError: the Prometheus port is taken.
        """
        publisher = self._publisher
        allowed = self._settings.privacy.publish_synthesis
        control = RemoteControl(
            self._settings,
            self._state,
            self._desk,
            publisher.respond,
            actions,
            publisher.say_picture if allowed else None,
        )
        sources = Sources(
            metrics=parts.metrics,
            problem=lambda: self._problem(parts, control),
            model=actions.model,
            detector=lambda: parts.status.detector,
            settings=control.settable,
            outbox=lambda: (publisher.outbox.depth, publisher.outbox.dropped),
            dropped_frames=lambda: parts.camera.dropped,
            refused_commands=lambda: self._desk.refused,
        )
        health = self._settings.health
        tell = [publisher.show_health, *self._prometheus(stack)]
        reporter = HealthReporter(sources, Board(), tell, health.interval_s)
        control.when_changed = reporter.report_now
        publisher.when_back(reporter.report_now)  # the last report may say that it is away
        reporter.start()
        stack.callback(reporter.close)
        stack.callback(self._announcer.close)
        return control

    def _problem(self, parts: Parts, control: RemoteControl) -> str | None:
        """The most important thing that is wrong."""
        camera = None if control.paused else parts.camera.problem
        return parts.status.problem or camera or self._twin.problem or self._publisher.problem

    def _prometheus(self, stack: ExitStack) -> list[Callable[[Report], None]]:
        health = self._settings.health
        found: list[Callable[[Report], None]] = []
        if not (health.prometheus_file or health.prometheus_port):
            return found
        from device.service.prometheus import (  # its HTTP server is slow to import
            PrometheusEndpoint,
            PrometheusFile,
        )

        if health.prometheus_file:
            found.append(PrometheusFile(Path(health.prometheus_file)))
        if health.prometheus_port:
            endpoint = PrometheusEndpoint(health.prometheus_port)
            stack.callback(endpoint.close)
            found.append(endpoint)
        return found

    def _announce(self) -> None:
        """Discovery, and the retraction of what was announced under another name or no more."""
        settings, publisher = self._settings.home_assistant, self._publisher
        topic = discovery_topic(settings.prefix, publisher.identity.device_id)
        if self._state.announced and (self._state.announced != topic or not settings.enabled):
            publisher.announce(self._state.announced, b"")
        if settings.enabled:
            publisher.announce(topic, encode_discovery(publisher.identity, publisher.topics))
            publisher.listen(f"{settings.prefix}/status", self._announcer.receive)
        self._state.remember_announced(topic if settings.enabled else "")
