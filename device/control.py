"""Carries out what people ask of the running daemon. Implements ``pipeline.Control``.

Commands are taken between two frames, in the loop's own thread, so nothing changes under a
stage's feet. What fails changes nothing and is answered with a sentence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from device.errors import MienError
from device.mqtt.commands import Command, CommandDesk, Responder
from device.service.state_file import StateFile
from device.settings import Settings, replace_setting
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


class Actions(Protocol):
    """What the composition root lets people do to the running parts."""

    def apply(self, settings: Settings) -> None:
        """Rebuilds what differs; raises MienError and leaves everything as it was."""

    def reload_model(self) -> Mapping[str, str]:
        """Loads the network anew and returns its name, version and sha256, or raises MienError."""

    def describe(self) -> Mapping[str, Any]:
        """What runs: model, detector, version."""

    def identify(self) -> None:
        """Makes the device show itself."""

    def restart(self) -> None:
        """Ends the daemon after this frame."""

    def synthesize(self, frame: Frame, scene: Scene, expression: Expression) -> bytes:
        """A marked PNG of the largest face with another expression, or raises MienError."""


class RefusedError(MienError):
    """A command that cannot be carried out now; answered with its text."""


class RemoteControl:
    """The commands' meanings.

    Args:
        settings: as they are now, remembered ones included.
        state: where changes are remembered.
        desk: where commands arrive.
        respond: where answers go.
        actions: what can be done.
        say_picture: publishes a synthesized PNG; None unless ``privacy.publish_synthesis``.
    """

    def __init__(
        self,
        settings: Settings,
        state: StateFile,
        desk: CommandDesk,
        respond: Responder,
        actions: Actions,
        say_picture: Callable[[bytes], None] | None = None,
    ) -> None:
        self._settings, self._state, self._desk = settings, state, desk
        self._respond, self._actions, self._say_picture = respond, actions, say_picture
        self._paused = state.paused
        self.when_changed: Callable[[], None] = lambda: None  # the health report shows settings

    @property
    def paused(self) -> bool:
        """True while nobody may be watched."""
        return self._paused

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self._settings

    def settable(self) -> dict[str, Any]:
        """What ``set`` can change, as it is now."""
        return {dotted: _value_of(self._settings, dotted) for dotted in SETTABLE}

    def apply_pending(self, scene: Scene, frame: Frame | None) -> None:
        """Carries out what has arrived since the last frame."""
        for command in self._desk.take():
            try:
                data = self._carry_out(command, scene, frame)
            except (MienError, OSError) as error:
                self._answer(command, error=str(error))
            except Exception as error:  # a command must not end the daemon
                log.exception("command %s failed", command.name)
                self._answer(command, error=f"internal error: {type(error).__name__}")
            else:
                self._answer(command, data=data)

    def _answer(self, command: Command, **answer: Any) -> None:
        try:
            self._respond(command.name, command.transaction, **answer)
        except Exception:  # nor may its answer
            log.exception("no answer to command %s", command.name)

    def _carry_out(
        self, command: Command, scene: Scene, frame: Frame | None
    ) -> Mapping[str, Any] | None:
        if command.name == "get":
            return {"paused": self._paused, "settings": self.settable(), **self._actions.describe()}
        if command.name == "set":
            return self._set(command.arguments["settings"])
        if command.name in ("pause", "resume"):
            return self._pause(command.name == "pause" and command.arguments.get("paused", True))
        if command.name == "reload-model":
            return {"model": dict(self._actions.reload_model())}
        if command.name == "synthesize":
            return self._synthesize(Expression(command.arguments["expression"]), scene, frame)
        if command.name == "identify":
            self._actions.identify()
        if command.name == "restart":
            self._actions.restart()
        return None

    def _set(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """All or none: checked, then tried, then remembered."""
        changed = self._settings
        for dotted, value in wanted.items():
            if dotted not in SETTABLE:
                raise RefusedError(f"{dotted} cannot be set from afar; only: {', '.join(SETTABLE)}")
            changed = replace_setting(changed, dotted, value)
        self._actions.apply(changed)
        try:
            self._state.remember(settings={d: _value_of(changed, d) for d in wanted})
        except OSError:
            self._actions.apply(self._settings)
            raise
        self._settings = changed
        self.when_changed()
        log.info("set from afar: %s", ", ".join(f"{k} = {v}" for k, v in wanted.items()))
        return {
            "settings": self.settable(),
            "after_restart": [dotted for dotted in wanted if dotted in AFTER_RESTART],
        }

    def _pause(self, paused: bool) -> Mapping[str, Any]:
        self._paused = paused  # at once; a full disk must not keep the camera watching
        log.info("paused from afar" if paused else "resumed from afar")
        self._state.remember(paused=paused)
        return {"paused": paused}

    def _synthesize(
        self, expression: Expression, scene: Scene, frame: Frame | None
    ) -> Mapping[str, Any]:
        if self._paused:
            raise RefusedError("paused: nobody is watched")
        if frame is None or scene.largest is None:
            raise RefusedError("no face is seen now")
        picture = self._actions.synthesize(frame, scene, expression)
        if self._say_picture:
            self._say_picture(picture)
        return {"bytes": len(picture), "published": self._say_picture is not None}


def _value_of(settings: Settings, dotted: str) -> Any:
    section, _, name = dotted.partition(".")
    return getattr(getattr(settings, section), name)
