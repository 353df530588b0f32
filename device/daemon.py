"""The composition root of ``mien run``: makes the parts, joins them, closes them in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from device.camera.choose import make_source
from device.camera.newest_frame import NewestFrameCamera
from device.composition import (
    Unattended,
    Vision,
    build_vision,
    describe,
    find_generators,
    load_classifier,
    make_publisher,
)
from device.display.choose import open_display
from device.display.screen import NoScreen, Screen
from device.errors import ConfigurationError, DetectorError, ModelError, is_storage_trouble
from device.live import LiveActions, Makers
from device.mqtt.access import BrokerAccess
from device.mqtt.identity import Topics
from device.pipeline import Classifier, Parts
from device.remote import Remote, make_outbox
from device.service.capture import CaptureStore, CapturingClassifier, list_captures
from device.service.metrics import Metrics
from device.service.model_store import ModelStore
from device.service.safe_mode import NoCamera, NoClassifier, NoSmoother, NoTracker
from device.service.state_file import StateFile
from device.service.watchdog import NoWatchdog, SystemdWatchdog
from device.settings import Settings
from device.settings.tree import Detector as DetectorSettings
from device.settings.tree import Smoothing
from device.synthesis import LazySynthesizer, LiveFace
from device.vision.detector import build_detector, choose_kind
from device.vision.model_card import ModelCard
from device.vocabulary import CameraState, Expression, Status

log = logging.getLogger("mien")


@dataclass(frozen=True)
class Surroundings:
    """What only the command line knows.

    Attributes:
        out: the terminal.
        color: whether it may be coloured.
        under_systemd: whether somebody waits for READY and WATCHDOG.
        state_dir: what is remembered, installed and collected.
        stop: ends the loop.
    """

    out: TextIO
    color: bool
    under_systemd: bool
    state_dir: Path
    stop: Callable[[], None]


@dataclass(frozen=True)
class Daemon:
    """The joined parts and what people are told at the start."""

    parts: Parts
    topics: Topics
    reach: Callable[[], BrokerAccess]


@contextmanager
def open_daemon(settings: Settings, around: Surroundings) -> Iterator[Daemon]:
    """Everything ``mien run`` needs, started in the order that gives the quickest first event.

    Closed in the opposite order: the screen first, the broker's clients before the broker.
    """
    with ExitStack() as stack:
        state = StateFile(around.state_dir / "settings.json")
        settings = state.apply(settings)
        outbox = make_outbox(settings, around.state_dir)
        publisher, reach = make_publisher(settings, outbox, stack)
        remote = Remote(settings, state, publisher)
        publisher.start()
        store = ModelStore(around.state_dir / "models")
        make_face = live_face(settings, store)
        in_color = settings.display.show_camera or make_face is not None
        source = make_source(settings.camera, in_color)
        camera = NewestFrameCamera(source, settings.camera).start()
        stack.callback(camera.close)
        vision, problem = _build_or_explain(settings, store, around.under_systemd)
        screen = _open_screen(settings, around, make_face, stack)
        wrap = _capturing(settings, around.state_dir / "capture", stack)
        watchdog = SystemdWatchdog() if around.under_systemd else NoWatchdog()
        parts = Parts(
            camera=camera if vision else NoCamera(problem),
            tracker=vision.tracker if vision else NoTracker(),
            classifier=wrap(vision.classifier) if vision else NoClassifier(),
            smoother=vision.smoother if vision else NoSmoother(),
            publisher=publisher,
            display=screen,
            control=Unattended(),
            watchdog=watchdog,
            metrics=Metrics(),
            status=describe(settings, vision) if vision else Status(CameraState.OFFLINE, problem),
        )
        makers = _makers(store, vision, screen, around.stop, wrap)
        card = vision.classifier.card if vision else None
        actions = LiveActions(parts, settings, card, makers)
        parts.control = remote.attach(parts, actions, stack)
        yield Daemon(parts, publisher.topics, reach)
        watchdog.stopping()


def _build_or_explain(
    settings: Settings, store: ModelStore, under_systemd: bool
) -> tuple[Vision | None, str]:
    """The parts that see, or why there are none: then the device still says so.

    Raises:
        ModelError, DetectorError: the same, where a newcomer's terminal is told directly.
    """
    try:
        return build_vision(settings, store), ""
    except (ModelError, DetectorError) as error:
        if not (settings.mqtt.host or under_systemd):
            raise
        log.error("safe mode: %s", error)
        return None, str(error)


def _open_screen(
    settings: Settings, around: Surroundings, make_face: LiveFace | None, stack: ExitStack
) -> Screen | NoScreen:
    screen = open_display(
        settings.display,
        settings.device.name,
        around.out,
        around.color,
        settings.capture.enabled,
        make_face,
    )
    stack.callback(screen.close)
    return screen


def live_face(settings: Settings, store: ModelStore) -> LiveFace | None:
    """What makes the face that ``display.synthesis`` asks for; None where nobody will see one."""
    wanted = settings.display.synthesis
    if wanted == "off" or settings.display.backend not in ("auto", "framebuffer"):
        return None
    return LiveFace(LazySynthesizer(lambda: find_generators(store)), Expression(wanted))


def _capturing(
    settings: Settings, folder: Path, stack: ExitStack
) -> Callable[[Classifier], Classifier]:
    """Wraps classifiers so that faces are collected, where that is wanted.

    What was collected before it was switched off still goes when it is too old.
    """
    enabled = settings.capture.enabled
    try:
        if not (enabled or list_captures(folder)):
            return lambda classifier: classifier
        captures = CaptureStore(folder, settings.capture)
    except OSError as error:
        if is_storage_trouble(error):
            log.error(
                "capture: cannot write to %s: %s; nothing is collected", folder, error.strerror
            )
            return lambda classifier: classifier
        raise ConfigurationError(
            f"capture: cannot write to {folder}: {error.strerror}; see device.state_dir"
        ) from error
    stack.callback(captures.close)
    if not enabled:
        return lambda classifier: classifier
    log.warning(
        "capture: faces are being stored in %s; the screen says so, and where there is none, "
        "telling people is up to you", folder,
    )  # fmt: skip
    interval_s = settings.capture.min_interval_s
    return lambda classifier: CapturingClassifier(classifier, captures, interval_s)


def _makers(
    store: ModelStore,
    vision: Vision | None,
    screen: Screen | NoScreen,
    stop: Callable[[], None],
    wrap: Callable[[Classifier], Classifier],
) -> Makers:
    def classifier(settings: Settings) -> tuple[Classifier, ModelCard]:
        loaded = load_classifier(settings, store)
        return wrap(loaded), loaded.card

    def redetect(settings: DetectorSettings) -> str:
        if vision:
            vision.tracker.use(build_detector(settings))
        return choose_kind(settings.kind)

    def retune(settings: Smoothing) -> None:
        if vision:
            vision.smoother.retune(settings)

    synthesize = LazySynthesizer(lambda: find_generators(store)).synthesize
    return Makers(redetect, classifier, retune, screen.identify, stop, synthesize)
