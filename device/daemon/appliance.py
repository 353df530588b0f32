"""The running device, and what exchanges its parts while it runs.

``build`` makes every part once. Here a detector or a model is made anew with the same functions,
when a command asks for it or a model fails, and put in the old one's place once it works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from device.daemon.model_guard import GuardedClassifier
from device.daemon.safe_mode import NoVision
from device.daemon.state_file import StateFile
from device.errors import MienError, ModelError
from device.pipeline import Classifier, Parts
from device.settings import Settings
from device.vision.classifier import TFLiteClassifier
from device.vision.detector import build_detector, choose_kind
from device.vision.generator import LazySynthesizer
from device.vision.model_card import ModelCard
from device.vision.model_store import ModelStore, load_classifier
from device.vision.stage import Vision

log = logging.getLogger("mien.control")

SETTABLE = (
    "smoothing.threshold",
    "smoothing.dwell_s",
    "smoothing.refractory_s",
    "detector.kind",
    "camera.frame_rate_hz",
)
AFTER_RESTART = ("camera.frame_rate_hz",)  # the camera keeps its rate while it is open


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
        return {dotted: value_of(self.settings, dotted) for dotted in SETTABLE}

    def model(self) -> dict[str, str]:
        """Name, version and sha256 of the model in use."""
        card = self.card
        if card is None:
            return {"name": "none", "version": "", "sha256": ""}
        return {"name": card.name, "version": card.version, "sha256": card.sha256}


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


def use_model(device: Appliance, classifier: TFLiteClassifier) -> None:
    """Puts a model into the loop; one that fails there gives way to the one before it."""
    card = device.card = classifier.card
    device.parts.classifier = GuardedClassifier(classifier, partial(give_way, device))
    device.parts.status = replace(device.parts.status, model=f"{card.name} {card.version}")


def give_way(device: Appliance, error: ModelError) -> Classifier:
    """After a failure in the loop: the model before, and where there is none, safe mode."""
    log.error("the model fails: %s; back to the model before", error)
    parts = device.parts
    try:
        device.store.rollback(device.settings.classifier.model)
        use_model(device, load_classifier(device.settings, device.store))
    except (MienError, OSError):
        log.error("there is none: safe mode")
        device.vision = device.card = None
        nothing = NoVision()
        parts.stage = parts.tracker = parts.classifier = parts.smoother = nothing
        parts.status = replace(parts.status, problem=str(error), model="", detector="")
    return parts.classifier


def value_of(settings: Settings, dotted: str) -> Any:
    """The value of ``section.key``."""
    section, _, name = dotted.partition(".")
    return getattr(getattr(settings, section), name)
