"""The commands that people send to the running daemon: a function each, and the one table.

To add one: its function and its line in ``COMMANDS`` here, and its arguments in
``mqtt/schemas/command-NAME.json``. Tests fail while one of the two lacks it.

Commands are carried out between two frames, in the loop's own thread, so nothing changes while a
frame is being worked on. A replacement is made first and put in place only when it works. What
fails changes nothing and is answered with a sentence.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from device import __version__
from device.daemon.appliance import (
    AFTER_RESTART,
    SETTABLE,
    Appliance,
    describe_model,
    load_model,
    prepare_settings,
    use_model,
    value_of,
)
from device.errors import CommandError, MienError, StorageError
from device.files import in_words
from device.mqtt.command_queue import Command, CommandQueue
from device.settings import replace_setting
from device.vision.model_folder import version_folder
from device.vision.model_store import load_classifier
from device.vision.resting_face import CALIBRATION_S
from device.vocabulary import Expression, Frame, Scene

log = logging.getLogger("mien.control")

Answer = Mapping[str, Any] | None


@dataclass(frozen=True)
class Request:
    """What a command gets.

    Attributes:
        arguments: as the schema allows them.
        scene: what was seen last.
        frame: the picture in which it was seen; None where the last turn had none.
    """

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
    """``set``: all or none. They are checked, tried, remembered, and then put in place."""
    wanted, changed = request.arguments["settings"], device.settings
    for dotted, value in wanted.items():
        if dotted not in SETTABLE:
            raise CommandError(f"{dotted} cannot be set by a command; only: {', '.join(SETTABLE)}")
        changed = replace_setting(changed, dotted, value)
    put_in_place = prepare_settings(device, changed)
    try:
        device.state.remember(settings={d: value_of(changed, d) for d in wanted})
    except StorageError as error:
        raise StorageError(f"nothing was set: {error}") from error
    put_in_place()
    log.info("set by a command: %s", ", ".join(f"{k} = {v}" for k, v in wanted.items()))
    after_restart = [dotted for dotted in wanted if dotted in AFTER_RESTART]
    return {"settings": device.settable(), "after_restart": after_restart}


def pause(device: Appliance, request: Request) -> Answer:
    """``pause``, with ``paused: false`` a switch for both."""
    return _pause(device, request.arguments.get("paused", True))


def resume(device: Appliance, request: Request) -> Answer:
    """``resume``."""
    return _pause(device, False)


def _pause(device: Appliance, paused: bool) -> Answer:
    parts = device.parts
    parts.paused = paused or parts.paused  # at once: a full disk must not keep it watching
    damage, status = device.state.problem, parts.status
    try:
        device.state.remember(paused=paused)
    except StorageError as error:
        kept = "" if device.state.paused else " until the next start alone"
        still = f"paused{kept}" if parts.paused else "not paused"
        raise StorageError(f"{still}, as this cannot be remembered: {error}") from error
    parts.paused = paused  # after a resume only now: an answer with an error changes nothing
    log.info("paused by a command" if paused else "resumed by a command")
    if damage and status.problem == damage:
        parts.status = replace(status, problem=None)
    return {"paused": paused}


def reload_model(device: Appliance, request: Request) -> Answer:
    """``reload-model``: the newest model in place of the old one; out of safe mode by a restart.

    Where the board is too slow for it, the small one stays until the board has time.

    Raises:
        CommandError: the newest cannot be used; another one serves.
    """
    if device.vision:
        newest = device.store.find_in_use(device.settings.classifier.model)
        classifier = load_model(device)
        use_model(device, classifier)
        card = classifier.card
        if newest not in (None, version_folder(card)) and not device.pace.small_model:
            raise CommandError(
                f"the installed model cannot be used, the log says why: {card.name} {card.version} "
                "serves"
            )
    else:
        classifier = load_classifier(device.settings, device.store)
        device.stop()
    return {"model": describe_model(classifier.card)}


def synthesize(device: Appliance, request: Request) -> Answer:
    """``synthesize``: a marked picture of the largest face with another expression."""
    if device.parts.paused:
        raise CommandError("paused: nobody is watched")
    if request.frame is None or request.scene.largest is None:
        raise CommandError("no face is seen now")
    expression = Expression(request.arguments["expression"])
    picture = device.generator.picture(request.frame, request.scene, expression)
    is_published = device.say_picture is not None and device.say_picture(picture)
    return {"bytes": len(picture), "published": is_published}


def calibrate(device: Appliance, request: Request) -> Answer:
    """``calibrate``: each face in view looks neutral for the next two seconds."""
    if device.parts.paused or device.vision is None:
        raise CommandError("nobody is watched")
    if device.settings.smoothing.rest == "off":
        raise CommandError('smoothing.rest is "off": expressions are named as they look')
    num_faces = device.vision.smoother.calibrate(request.scene.at_s)
    if not num_faces:
        raise CommandError("no face is seen now")
    return {"faces": num_faces, "lasts_s": CALIBRATION_S}


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
    "calibrate": calibrate,
    "identify": identify,
    "restart": restart,
}


class Control:
    """Takes commands as they arrive, carries them out and answers.

    Args:
        device: what they act on.
        commands: where they arrive.
        report: has a health report made, which shows what commands change.
    """

    def __init__(
        self, device: Appliance, commands: CommandQueue, report: Callable[[], None] = lambda: None
    ) -> None:
        self._device, self._commands, self._report = device, commands, report
        self._waiting: deque[Command] = deque()

    def carry_out(self, scene: Scene, frame: Frame | None) -> None:
        """Carries out what has arrived since the last turn of the loop.

        Args:
            scene: what was seen last.
            frame: the picture in which it was seen; None where the last turn had none.
        """
        self._waiting.extend(self._commands.take())
        self._device.watch.turn(has_frame=frame is not None)
        while self._waiting:
            self._carry_out(self._waiting.popleft(), scene, frame)

    def _carry_out(self, command: Command, scene: Scene, frame: Frame | None) -> None:
        before = self._device.reported()
        answer: dict[str, Any] = {"error": "internal error; the device's log says which"}
        try:
            request = Request(command.arguments, scene, frame)
            answer = {"data": COMMANDS[command.name](self._device, request)}
        except (MienError, OSError) as error:
            answer = {"error": in_words(error)}
            if isinstance(error, (StorageError, OSError)):  # the device's fault, not the sender's
                log.error("command %s: %s", command.name, answer["error"])
        finally:  # a mistake of ours is answered too; the loop logs and survives it
            command.respond(command.transaction, **answer)
            if self._device.reported() != before:
                self._report()
