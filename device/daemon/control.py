"""What people ask of the running daemon over MQTT: a table of commands, a plain function each.

Commands are carried out between two frames, in the loop's own thread, so nothing changes while a
frame is being worked on. A replacement is made first and put in place only when it works. What
fails changes nothing and is answered with a sentence.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from device import __version__
from device.daemon.state_file import StateFile
from device.errors import MienError
from device.mqtt.commands import Command, CommandQueue, Responder
from device.pipeline import Parts
from device.settings import Settings, replace_setting
from device.vision.detector import build_detector, choose_kind
from device.vision.generator import LazySynthesizer
from device.vision.model_card import ModelCard
from device.vision.model_store import ModelStore, load_classifier
from device.vision.stage import Vision
from device.vocabulary import Expression, Frame, Scene

log = logging.getLogger("mien.control")

SETTABLE = (
    "smoothing.threshold",
    "smoothing.dwell_s",
    "smoothing.refractory_s",
    "detector.kind",
    "camera.frame_rate_hz",
)
AFTER_RESTART = ("camera.frame_rate_hz",)  # the camera keeps its rate while it is open

Answer = Mapping[str, Any] | None


class RefusedError(MienError):
    """A command that cannot be carried out now; answered with its text."""


class Identifiable(Protocol):
    """A screen that can show which device it belongs to."""

    def identify(self) -> None:
        """Flashes for a moment."""


@dataclass
class Appliance:
    """The running device, as commands and the health report see it.

    Attributes:
        settings: as they are now, the remembered ones included; kept nowhere else.
        state: where changes are remembered.
        parts: of the loop.
        vision: None in safe mode.
        card: of the model in use; None in safe mode.
        store: of installed models.
        generator: makes synthetic pictures.
        screen: flashes for ``identify``.
        stop: ends the loop; systemd starts the daemon again.
        say_picture: publishes a synthetic picture; None unless ``privacy.publish_synthesis``.
    """

    settings: Settings
    state: StateFile
    parts: Parts
    vision: Vision | None
    card: ModelCard | None
    store: ModelStore
    generator: LazySynthesizer
    screen: Identifiable
    stop: Callable[[], None]
    say_picture: Callable[[bytes], None] | None = None

    def settable(self) -> dict[str, Any]:
        """What ``set`` can change, as it is now."""
        return {dotted: _value_of(self.settings, dotted) for dotted in SETTABLE}

    def model(self) -> dict[str, str]:
        """Name, version and sha256 of the model in use."""
        card = self.card
        if card is None:
            return {"name": "none", "version": "", "sha256": ""}
        return {"name": card.name, "version": card.version, "sha256": card.sha256}


@dataclass(frozen=True)
class Request:
    """A command's arguments, and what the camera saw last (``frame`` is None for nothing)."""

    arguments: Mapping[str, Any]
    scene: Scene
    frame: Frame | None


def tell_settings(device: Appliance, request: Request) -> Answer:
    """``get``."""
    return {
        "paused": device.parts.paused,
        "settings": device.settable(),
        "model": device.model(),
        "detector": device.parts.status.detector,
        "version": __version__,
    }


def change_settings(device: Appliance, request: Request) -> Answer:
    """``set``: all or none. They are checked, then tried, then remembered."""
    wanted, before = request.arguments["settings"], device.settings
    changed = before
    for dotted, value in wanted.items():
        if dotted not in SETTABLE:
            raise RefusedError(f"{dotted} cannot be set over MQTT; only: {', '.join(SETTABLE)}")
        changed = replace_setting(changed, dotted, value)
    apply_settings(device, changed)
    try:
        device.state.remember(settings={d: _value_of(changed, d) for d in wanted})
    except OSError:
        apply_settings(device, before)
        raise
    log.info("set over MQTT: %s", ", ".join(f"{k} = {v}" for k, v in wanted.items()))
    after_restart = [dotted for dotted in wanted if dotted in AFTER_RESTART]
    return {"settings": device.settable(), "after_restart": after_restart}


def apply_settings(device: Appliance, settings: Settings) -> None:
    """Puts settings into effect.

    Raises:
        DetectorError: the detector cannot be built; nothing has changed.
    """
    before, vision = device.settings, device.vision
    if vision and settings.detector != before.detector:
        vision.stage.use(build_detector(settings.detector))
        kind = choose_kind(settings.detector.kind)
        device.parts.status = replace(device.parts.status, detector=kind)
    if vision and settings.smoothing != before.smoothing:
        vision.smoother.retune(settings.smoothing)
    device.settings = settings


def pause(device: Appliance, request: Request) -> Answer:
    """``pause``, with ``paused: false`` a switch for both."""
    return _pause(device, request.arguments.get("paused", True))


def resume(device: Appliance, request: Request) -> Answer:
    """``resume``."""
    return _pause(device, False)


def _pause(device: Appliance, paused: bool) -> Answer:
    device.parts.paused = paused  # at once; a full disk must not keep the camera watching
    log.info("paused over MQTT" if paused else "resumed over MQTT")
    device.state.remember(paused=paused)
    return {"paused": paused}


def reload_model(device: Appliance, request: Request) -> Answer:
    """``reload-model``: the newest model in place of the old one; out of safe mode by a restart."""
    classifier = load_classifier(device.settings, device.store)
    card = device.card = classifier.card
    if device.vision:
        device.parts.classifier = classifier
        device.parts.status = replace(device.parts.status, model=f"{card.name} {card.version}")
    else:
        device.stop()
    return {"model": device.model()}


def synthesize(device: Appliance, request: Request) -> Answer:
    """``synthesize``: a marked picture of the largest face with another expression."""
    if device.parts.paused:
        raise RefusedError("paused: nobody is watched")
    if request.frame is None or request.scene.largest is None:
        raise RefusedError("no face is seen now")
    expression = Expression(request.arguments["expression"])
    picture = device.generator.picture(request.frame, request.scene, expression)
    if device.say_picture:
        device.say_picture(picture)
    return {"bytes": len(picture), "published": device.say_picture is not None}


def identify(device: Appliance, request: Request) -> Answer:
    """``identify``: the screen flashes."""
    device.screen.identify()
    return None


def restart(device: Appliance, request: Request) -> Answer:
    """``restart``: the loop ends after this frame."""
    device.stop()
    return None


COMMANDS: dict[str, Callable[[Appliance, Request], Answer]] = {
    "get": tell_settings,
    "set": change_settings,
    "pause": pause,
    "resume": resume,
    "synthesize": synthesize,
    "reload-model": reload_model,
    "identify": identify,
    "restart": restart,
}


class Control:
    """Takes commands as they arrive, carries them out and answers.

    Args:
        device: what they act on.
        commands: where they arrive.
        respond: where answers go.
        report: has a health report made, which shows the settings.
    """

    def __init__(
        self,
        device: Appliance,
        commands: CommandQueue,
        respond: Responder,
        report: Callable[[], None] = lambda: None,
    ) -> None:
        self._device, self._commands, self._respond, self._report = (
            device,
            commands,
            respond,
            report,
        )
        self._waiting: deque[Command] = deque()

    def carry_out(self, scene: Scene, frame: Frame | None) -> None:
        """Carries out what has arrived since the last frame."""
        self._waiting.extend(self._commands.take())
        while self._waiting:
            self._carry_out(self._waiting.popleft(), scene, frame)

    def _carry_out(self, command: Command, scene: Scene, frame: Frame | None) -> None:
        settings = self._device.settings
        answer: dict[str, Any] = {"error": "internal error; the device's log says which"}
        try:
            request = Request(command.arguments, scene, frame)
            answer = {"data": COMMANDS[command.name](self._device, request)}
        except (MienError, OSError) as error:
            answer = {"error": str(error)}
        finally:  # a mistake of ours is answered too; the loop logs and survives it
            self._respond(command.name, command.transaction, **answer)
        if self._device.settings is not settings:
            self._report()


def _value_of(settings: Settings, dotted: str) -> Any:
    section, _, name = dotted.partition(".")
    return getattr(getattr(settings, section), name)
