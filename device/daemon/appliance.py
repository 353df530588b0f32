"""The running device, and what exchanges its parts while it runs.

``build`` makes every part once. Here a detector or a model is made anew with the same functions,
when a command asks for it or a model fails, and put in the old one's place once it works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from device.daemon.governor import PACES, Pace
from device.daemon.model_guard import DeathWatch, GuardedClassifier
from device.daemon.safe_mode import NoCamera, NoVision
from device.daemon.state_file import StateFile
from device.errors import MienError, ModelError
from device.pipeline import Classifier, Parts
from device.settings import Settings, replace_setting
from device.vision.classifier import TFLiteClassifier
from device.vision.detector import build_detector, choose_kind
from device.vision.generator import LazySynthesizer
from device.vision.interval_classifier import IntervalClassifier
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
SMALL_MODEL = "expression-tiny"
GIVE_WAY = ("expression", "expression-fer2013")  # a model of the user's own is not exchanged
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
        vision: what runs, the model in use included; None in safe mode.
        store: of installed models.
        watch: over a model that might kill the process.
        generator: makes synthetic pictures.
        screen: flashes for ``identify``.
        stop: ends the loop; systemd starts the daemon again.
        say_picture: publishes a synthetic picture where there is a connection, and returns whether
            there is; None unless ``privacy.publish_synthesis``.
        pace: the governor's.
        hear_report: takes each health report to the governor.
    """

    settings: Settings
    state: StateFile
    parts: Parts
    vision: Vision | None
    store: ModelStore
    watch: DeathWatch
    generator: LazySynthesizer
    screen: Identifiable
    stop: Callable[[], None]
    say_picture: Callable[[bytes], bool] | None = None
    pace: Pace = PACES[0]
    hear_report: Callable[[Mapping[str, Any]], None] = lambda report: None

    def settable(self) -> dict[str, Any]:
        """What ``set`` can change, as it is now."""
        return {dotted: value_of(self.settings, dotted) for dotted in SETTABLE}

    def model(self) -> dict[str, str]:
        """Name, version and sha256 of the model in use."""
        vision = self.vision  # the loop's thread may set it to None meanwhile
        return describe_model(vision.classifier.card if vision else None)

    def reported(self) -> tuple[object, ...]:
        """What the health report shows and commands change."""
        return self.settings, self.parts.paused, self.parts.status, self.vision


def describe_model(card: ModelCard | None) -> dict[str, str]:
    """Name, version and sha256, as payloads show a model."""
    if card is None:
        return {"name": "none", "version": "", "sha256": ""}
    return {"name": card.name, "version": card.version, "sha256": card.sha256}


def prepare_settings(device: Appliance, settings: Settings) -> Callable[[], None]:
    """Makes what other settings need; the function that is returned puts it in place.

    A detector is made in safe mode too: one that cannot be made must not be remembered.

    Raises:
        DetectorError: the detector cannot be built; nothing has changed.
    """
    before = device.settings
    new_detector = settings.detector != before.detector
    detector = build_detector(settings.detector) if new_detector else None

    def put_in_place() -> None:
        vision, parts = device.vision, device.parts
        if vision and detector:
            vision.stage.use(detector)
            parts.status = replace(parts.status, detector=choose_kind(settings.detector.kind))
        if vision and settings.smoothing != before.smoothing:
            vision.smoother.retune(settings.smoothing)
        device.settings = settings

    return put_in_place


def load_model(device: Appliance) -> TFLiteClassifier:
    """The model for these settings at this pace; whoever exchanges the model takes this one.

    Raises:
        ModelError: the model and its card cannot be used.
    """
    settings = device.settings
    if device.pace.small_model and settings.classifier.model in GIVE_WAY:
        small = replace_setting(settings, "classifier.model", SMALL_MODEL, "governor")
        return load_classifier(small)
    return load_classifier(settings, device.store)


def use_model(device: Appliance, classifier: TFLiteClassifier) -> None:
    """Puts a model into the loop; one that fails there gives way to the one before it."""
    card, parts = classifier.card, device.parts
    if device.vision:
        device.vision = replace(device.vision, classifier=classifier)
        device.vision.smoother.forget_rests()
    interval_s = device.settings.classifier.interval_s
    watched = device.watch.around(classifier.classify, card)
    paced = IntervalClassifier(watched, interval_s, lambda: device.pace.slowness)
    parts.classifier = GuardedClassifier(paced, partial(give_way, device, card))
    parts.status = replace(parts.status, model=f"{card.name} {card.version}")


def give_way(device: Appliance, card: ModelCard, error: ModelError) -> Classifier:
    """After a failure in the loop: the model before, and where there is none, safe mode.

    Args:
        device: goes on with the other model.
        card: of the model that fails. The governor's small one, and one that stands in, fail
            without harm to the installed one.
        error: of the model.
    """
    log.error("the model fails: %s; back to the model before", error)
    try:
        if device.store.is_in_use(card):
            device.store.rollback(card.name)
        classifier = load_model(device)
        if classifier.card == card and device.pace.small_model:
            change_pace(device, PACES[1])  # the small one fails: the large one, less often
            classifier = load_model(device)
        if classifier.card == card:
            raise error
        use_model(device, classifier)
    except (MienError, OSError):
        log.error("there is none: safe mode")
        _enter_safe_mode(device, str(error))
    return device.parts.classifier


def change_pace(device: Appliance, pace: Pace) -> None:
    """Goes on at another pace and says so in ``problem``, unless that tells another one."""
    parts, ours = device.parts, problem_of(device.pace)
    device.pace = pace
    if parts.status.problem in (None, ours):
        parts.status = replace(parts.status, problem=problem_of(pace))


def problem_of(pace: Pace) -> str | None:
    """What ``problem`` says at this pace."""
    return f"the board is too slow or too hot: {pace.words}" if pace.words else None


def _enter_safe_mode(device: Appliance, problem: str) -> None:
    """Nobody is seen from now on, and the camera is closed; who was in view vanishes."""
    device.vision, parts = None, device.parts
    camera, parts.camera = parts.camera, NoCamera(problem, parts.camera.dropped)
    camera.close()
    parts.smoother = NoVision(parts.smoother.clear)
    parts.stage = parts.tracker = parts.classifier = NoVision()
    parts.status = replace(parts.status, problem=problem, model="", detector="")


def value_of(settings: Settings, dotted: str) -> Any:
    """The value of ``section.key``."""
    section, _, name = dotted.partition(".")
    return getattr(getattr(settings, section), name)
