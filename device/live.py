"""What may be changed while the daemon runs. Implements ``control.Actions``.

Called between two frames. A replacement is made first and put in place only when it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from device import __version__
from device.pipeline import Classifier, Parts
from device.settings import Settings
from device.settings.tree import Detector, Smoothing
from device.vision.model_card import ModelCard
from device.vocabulary import Expression, Frame, Scene

Synthesize = Callable[[Frame, Scene, Expression], bytes]


@dataclass(frozen=True)
class Makers:
    """How the composition root makes the parts that can be replaced; all may raise MienError.

    Attributes:
        redetect: gives the tracker the detector that the settings name; returns its kind.
        classifier: the newest installed network, and its card.
        retune: gives the smoother other settings.
        identify: makes the screen flash.
        stop: ends the loop.
        synthesize: a marked PNG of the largest face; not called without a face.
    """

    redetect: Callable[[Detector], str]
    classifier: Callable[[Settings], tuple[Classifier, ModelCard]]
    retune: Callable[[Smoothing], None]
    identify: Callable[[], None]
    stop: Callable[[], None]
    synthesize: Synthesize


class LiveActions:
    """Replaces parts of the running loop.

    Args:
        parts: of the loop.
        settings: as they are now.
        card: of the network in use; None in safe mode.
        makers: see there.
    """

    def __init__(
        self, parts: Parts, settings: Settings, card: ModelCard | None, makers: Makers
    ) -> None:
        self._parts, self._settings, self._card, self._makers = parts, settings, card, makers

    @property
    def is_safe_mode(self) -> bool:
        """True while there is no network to name anything with."""
        return self._card is None

    def model(self) -> Mapping[str, str]:
        """Name, version and sha256 of the network in use."""
        card = self._card
        if card is None:
            return {"name": "none", "version": "", "sha256": ""}
        return {"name": card.name, "version": card.version, "sha256": card.sha256}

    def describe(self) -> Mapping[str, Any]:
        """What runs."""
        return {
            "model": dict(self.model()),
            "detector": self._parts.status.detector,
            "version": __version__,
        }

    def apply(self, settings: Settings) -> None:
        """Puts other settings into effect, or raises and changes nothing."""
        old = self._settings
        if settings.detector != old.detector and not self.is_safe_mode:
            kind = self._makers.redetect(settings.detector)
            self._parts.status = replace(self._parts.status, detector=kind)
        if settings.smoothing != old.smoothing:
            self._makers.retune(settings.smoothing)
        self._settings = settings

    def reload_model(self) -> Mapping[str, str]:
        """The newest network in place of the old one; out of safe mode by a restart."""
        was_safe_mode = self.is_safe_mode
        classifier, card = self._makers.classifier(self._settings)
        self._card = card
        if was_safe_mode:
            self._makers.stop()
        else:
            self._parts.classifier = classifier
            name = f"{card.name} {card.version}"
            self._parts.status = replace(self._parts.status, model=name)
        return self.model()

    def identify(self) -> None:
        """Flashes the screen."""
        self._makers.identify()

    def restart(self) -> None:
        """Ends the loop; systemd starts the daemon again."""
        self._makers.stop()

    def synthesize(self, frame: Frame, scene: Scene, expression: Expression) -> bytes:
        """A marked PNG, where there is a generator."""
        return self._makers.synthesize(frame, scene, expression)
