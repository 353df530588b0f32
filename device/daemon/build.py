"""Makes every part once and joins them; ``run``, ``analyze`` and ``bench`` take them from here.

Each part is made from parts that are there already. What has a thread starts at once: the client
connects and the camera opens while the models load. ``appliance`` exchanges a part of the running
device with the functions used here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from device.camera.choose import make_source
from device.camera.newest_frame import NewestFrameCamera
from device.daemon.appliance import Appliance, use_model
from device.daemon.build_health import govern, report_health
from device.daemon.build_mqtt import BrokerSide, make_publisher, open_broker_side
from device.daemon.build_web import WebSide, open_page, open_web, shows_picture
from device.daemon.collected_faces import open_captures
from device.daemon.commands import Control
from device.daemon.metrics import Metrics
from device.daemon.model_guard import DeathWatch
from device.daemon.paths import REMEMBERED, require_places
from device.daemon.safe_mode import NoCamera, NoVision
from device.daemon.state_file import StateFile
from device.daemon.watchdog import NoWatchdog, SystemdWatchdog
from device.display.choose import open_display
from device.display.live_face import LiveFace
from device.display.screen import NoScreen, Screen
from device.errors import DetectorError, ModelError
from device.mqtt.identity import make_device_id, make_name
from device.mqtt.outbox import Outbox
from device.pipeline import Parts, collect_nothing
from device.settings import Settings
from device.vision.detector import choose_kind
from device.vision.expression_smoother import ExpressionSmoother
from device.vision.generator import LazySynthesizer, find_generators
from device.vision.interval_classifier import IntervalClassifier
from device.vision.model_store import ModelStore, load_classifier
from device.vision.stage import Vision, build_stage
from device.vision.tracker import DetectAndTrack
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
        remembers: whether what commands change is there at the next start.
    """

    out: TextIO
    color: bool
    under_systemd: bool
    state_dir: Path
    stop: Callable[[], None]
    remembers: bool = True


@contextmanager
def open_daemon(
    settings: Settings, around: Surroundings
) -> Iterator[tuple[Parts, Control, BrokerSide]]:
    """The loop's parts, what carries out commands, and the broker's side.

    What takes long to start comes first; the broker is closed last, so it hears of the end.
    """
    require_places(settings, around.state_dir)
    with ExitStack() as stack:
        state = _open_state(settings, around)
        settings = _named(state.apply(settings))
        store = ModelStore(around.state_dir / "models")
        web = open_web(settings, stack)
        broker = open_broker_side(settings, state, around.state_dir, stack)
        make_face = make_live_face(settings, store)
        camera = _open_camera(settings, make_face is not None, stack)
        watch, vision, problem = _build_watched(settings, store, around.under_systemd, stack)
        screen = _open_screen(settings, around, make_face, stack)
        captures = open_captures(settings.capture, around.state_dir / "capture", stack)
        watchdog, metrics = SystemdWatchdog() if around.under_systemd else NoWatchdog(), Metrics()
        parts = Parts(
            **_seeing(settings, vision, camera, problem or state.problem),
            publisher=broker.publisher,
            display=screen,
            watchdog=watchdog,
            metrics=metrics,
            paused=state.paused,
            collect=captures.collect if captures else collect_nothing,
        )
        generator = LazySynthesizer(lambda: find_generators(store))
        picture = broker.publisher.say_picture if settings.privacy.publish_synthesis else None
        device = Appliance(
            settings, state, parts, vision, store, watch, generator, screen, around.stop, picture
        )
        if vision:
            use_model(device, vision.classifier)
        report = _tell_about(device, metrics, broker, web, stack)
        stack.callback(watchdog.stopping)  # first of all, whatever ends it
        yield parts, Control(device, broker.commands, report), broker


def _open_state(settings: Settings, around: Surroundings) -> StateFile:
    """What is remembered; what of it stands above the settings is said once."""
    state = StateFile(around.state_dir / REMEMBERED if around.remembers else None)
    if told := state.describe(settings):
        log.info("remembered from commands: %s", told)
    return state


def _build_watched(
    settings: Settings, store: ModelStore, under_systemd: bool, stack: ExitStack
) -> tuple[DeathWatch, Vision | None, str]:
    """What sees, as ``_build_or_explain`` says, and the watch over its model."""
    watch = DeathWatch(store)
    watch.begin(settings.classifier.model)
    stack.callback(watch.settle)  # an end in good order is not held against the model
    vision, problem = _build_or_explain(settings, store, under_systemd)
    watch.turn(has_frame=False)  # loaded: what the screen does is not its fault
    return watch, vision, problem


def _open_camera(settings: Settings, makes_faces: bool, stack: ExitStack) -> NewestFrameCamera:
    color = settings.display.show_camera or shows_picture(settings.web) or makes_faces
    source = make_source(settings.camera, color)
    camera = NewestFrameCamera(source, settings.camera).start()
    stack.callback(camera.close)
    return camera


def _open_screen(
    settings: Settings, around: Surroundings, make_face: LiveFace | None, stack: ExitStack
) -> Screen | NoScreen:
    screen = open_display(settings, around.out, around.color, make_face)
    stack.callback(screen.close)
    return screen


def _tell_about(
    device: Appliance,
    metrics: Metrics,
    broker: BrokerSide,
    web: WebSide | None,
    stack: ExitStack,
) -> Callable[[], None]:
    """Begins to govern, to report and to show the page; what it returns reports at once."""
    govern(device)
    reporter = report_health(device, metrics, broker, stack)
    if web:
        open_page(web, device, reporter, broker, stack)
    return reporter.report_now


def _named(settings: Settings) -> Settings:
    """With a name for people, also where the settings have none."""
    device = settings.device
    name = make_name(device.name, make_device_id(device.id))
    return replace(settings, device=replace(device, name=name))


def build_vision(settings: Settings, store: ModelStore | None = None) -> Vision:
    """Detector, tracker, classifier and smoother as the settings say.

    Args:
        settings: the tree.
        store: installed models; None for the shipped ones alone.

    Raises:
        ModelError: the model and its card cannot be used.
        DetectorError: OpenCV lacks the detector.
    """
    stage = build_stage(settings)
    return Vision(
        stage,
        DetectAndTrack(stage.detect, settings.detector.interval_s),
        load_classifier(settings, store),
        ExpressionSmoother(settings.smoothing),
    )


@contextmanager
def build_offline_parts(settings: Settings) -> Iterator[Parts]:
    """The parts as the daemon has them, without a camera and a screen, for ``mien bench``."""
    with ExitStack() as stack:
        publisher, _ = make_publisher(settings, Outbox(settings.outbox.max_events), stack)
        publisher.start()
        camera = NewestFrameCamera(make_source(settings.camera), settings.camera)
        yield Parts(
            **_seeing(settings, build_vision(settings), camera),
            publisher=publisher,
            display=NoScreen(),
            watchdog=NoWatchdog(),
            metrics=Metrics(),
        )


def _seeing(
    settings: Settings,
    vision: Vision | None,
    camera: NewestFrameCamera,
    problem: str | None = None,
) -> dict[str, Any]:
    """The loop's parts that see, and the problem of the start, if there is one.

    Without ``vision`` they see nothing (safe mode), and the camera is closed.
    """
    if vision is None:
        camera.close()
        blind = dict.fromkeys(("stage", "tracker", "classifier", "smoother"), NoVision())
        status = Status(CameraState.OFFLINE, problem)
        return {**blind, "camera": NoCamera(problem or ""), "status": status}
    card, kind = vision.classifier.card, choose_kind(settings.detector.kind)
    return {
        "camera": camera,
        "stage": vision.stage,
        "tracker": vision.tracker,
        "classifier": IntervalClassifier(
            vision.classifier.classify, settings.classifier.interval_s
        ),
        "smoother": vision.smoother,
        "status": Status(CameraState.ONLINE, problem, f"{card.name} {card.version}", kind),
    }


def make_live_face(settings: Settings, store: ModelStore) -> LiveFace | None:
    """Makes the face that ``display.synthesis`` asks for; None where no screen would show it.

    It has a generator of its own, because it runs in the display's thread.
    """
    wanted = settings.display.synthesis
    if wanted == "off" or settings.display.backend not in ("auto", "framebuffer"):
        return None
    generator = LazySynthesizer(lambda: find_generators(store))
    return LiveFace(generator.portrait, Expression(wanted))


def _build_or_explain(
    settings: Settings, store: ModelStore, under_systemd: bool
) -> tuple[Vision | None, str]:
    """The parts that see; or None and the reason, which the device then tells (safe mode).

    Raises:
        ModelError, DetectorError: in a terminal without a broker, where the error itself is
            the better answer.
    """
    try:
        return build_vision(settings, store), ""
    except (ModelError, DetectorError) as error:
        if not (settings.mqtt.host or under_systemd):
            raise
        log.error("safe mode: %s", error)
        return None, str(error)
