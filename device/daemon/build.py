"""Makes every part, once, and joins them; ``run``, ``analyze`` and ``bench`` take them from here.

Everything else knows protocols. A part is made from parts that are there already, and what has a
thread starts as soon as it can: the client connects and the camera opens while the models load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from device.camera.choose import make_source
from device.camera.newest_frame import NewestFrameCamera
from device.daemon.board import Board
from device.daemon.build_mqtt import BrokerSide, connect, make_publisher
from device.daemon.collected_faces import open_captures
from device.daemon.control import Appliance, Control
from device.daemon.health import HealthReporter, Report
from device.daemon.metrics import Metrics
from device.daemon.safe_mode import NoCamera, NoVision
from device.daemon.state_file import StateFile
from device.daemon.watchdog import NoWatchdog, SystemdWatchdog
from device.display.choose import open_display
from device.display.live_face import LiveFace
from device.display.screen import NoScreen, Screen
from device.errors import DetectorError, ModelError
from device.mqtt.identity import make_device_id, make_name
from device.mqtt.outbox import MemoryOutbox
from device.pipeline import Camera, Parts, collect_nothing
from device.settings import Settings
from device.vision.detector import choose_kind
from device.vision.generator import LazySynthesizer, find_generators
from device.vision.model_store import ModelStore, load_classifier
from device.vision.smoother import ExpressionSmoother
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
    """

    out: TextIO
    color: bool
    under_systemd: bool
    state_dir: Path
    stop: Callable[[], None]


@dataclass(frozen=True)
class Daemon:
    """What the loop runs, and what people are told at the start."""

    parts: Parts
    control: Control
    broker: BrokerSide


@contextmanager
def open_daemon(settings: Settings, around: Surroundings) -> Iterator[Daemon]:
    """Everything ``mien run`` needs, started in the order that gives the quickest first event.

    Closed in the opposite order: the screen first, the broker's clients before the broker.
    """
    with ExitStack() as stack:
        state = StateFile(around.state_dir / "settings.json")
        settings = state.apply(settings)
        store = ModelStore(around.state_dir / "models")
        broker = connect(settings, state, around.state_dir, stack)
        make_face = make_live_face(settings, store)
        camera = _open_camera(settings, make_face is not None, stack)
        vision, problem = _build_or_explain(settings, store, around.under_systemd)
        screen = _open_screen(settings, around, make_face, stack)
        captures = open_captures(settings.capture, around.state_dir / "capture", stack)
        watchdog = SystemdWatchdog() if around.under_systemd else NoWatchdog()
        metrics, may_publish = Metrics(), settings.privacy.publish_synthesis
        parts = _join(
            settings,
            vision or problem,
            camera=camera,
            publisher=broker.publisher,
            display=screen,
            watchdog=watchdog,
            metrics=metrics,
            paused=state.paused,
            collect=captures.collect if captures else collect_nothing,
        )
        device = Appliance(
            settings,
            state,
            parts,
            vision,
            card=vision.classifier.card if vision else None,
            store=store,
            generator=LazySynthesizer(lambda: find_generators(store)),
            screen=screen,
            stop=around.stop,
            say_picture=broker.publisher.say_picture if may_publish else None,
        )
        report = _report_health(device, metrics, broker, stack)
        control = Control(device, broker.commands, broker.publisher.respond, report)
        yield Daemon(parts, control, broker)
        watchdog.stopping()


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
def build_offline_parts(settings: Settings, metrics: Metrics) -> Iterator[Parts]:
    """The parts as the daemon has them, without a camera and a screen, for ``mien bench``."""
    with ExitStack() as stack:
        outbox = MemoryOutbox(settings.outbox.max_events)
        publisher, _ = make_publisher(settings, outbox, stack)
        publisher.start()
        yield _join(
            settings,
            build_vision(settings),
            camera=NewestFrameCamera(make_source(settings.camera), settings.camera),
            publisher=publisher,
            display=NoScreen(),
            watchdog=NoWatchdog(),
            metrics=metrics,
        )


def _join(settings: Settings, vision: Vision | str, camera: Camera, **others: Any) -> Parts:
    """The loop's parts; those of safe mode where ``vision`` is the problem that it has."""
    if isinstance(vision, str):
        nothing, status = NoVision(), Status(CameraState.OFFLINE, vision)
        return Parts(NoCamera(vision), nothing, nothing, nothing, nothing, status=status, **others)
    card, kind = vision.classifier.card, choose_kind(settings.detector.kind)
    return Parts(
        camera,
        vision.stage,
        vision.tracker,
        vision.classifier,
        vision.smoother,
        status=Status(CameraState.ONLINE, model=f"{card.name} {card.version}", detector=kind),
        **others,
    )


def make_live_face(settings: Settings, store: ModelStore) -> LiveFace | None:
    """What makes the face that ``display.synthesis`` asks for; None where nobody will see one.

    It has a generator of its own: the display's thread uses it.
    """
    wanted = settings.display.synthesis
    if wanted == "off" or settings.display.backend not in ("auto", "framebuffer"):
        return None
    generator = LazySynthesizer(lambda: find_generators(store))
    return LiveFace(generator.portrait, Expression(wanted))


def _open_camera(settings: Settings, makes_faces: bool, stack: ExitStack) -> NewestFrameCamera:
    in_color = settings.display.show_camera or makes_faces
    source = make_source(settings.camera, in_color)
    camera = NewestFrameCamera(source, settings.camera).start()
    stack.callback(camera.close)
    return camera


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
    capturing = settings.capture.enabled
    name = make_name(settings.device.name, make_device_id(settings.device.id))
    screen = open_display(settings.display, name, around.out, around.color, capturing, make_face)
    stack.callback(screen.close)
    return screen


def _report_health(
    device: Appliance, metrics: Metrics, broker: BrokerSide, stack: ExitStack
) -> Callable[[], None]:
    """Begins to report; returns what has a report made at once.

    Raises:
        ConfigurationError: the Prometheus port is taken.
    """
    publisher = broker.publisher
    parts, settings = device.parts, device.settings.health

    def facts() -> dict[str, Any]:
        camera = None if parts.paused else parts.camera.problem
        problem = parts.status.problem or camera or broker.duplicates.problem or publisher.problem
        return {
            "problem": problem,
            "model": device.model(),
            "detector": parts.status.detector,
            "settings": device.settable(),
            "outbox_depth": publisher.outbox.depth,
            "dropped_events": publisher.outbox.dropped,
            "dropped_frames": parts.camera.dropped,
            "refused_commands": broker.commands.refused,
        }

    tell: list[Callable[[Report], None]] = [publisher.show_health]
    if settings.prometheus_file or settings.prometheus_port:
        from device.daemon.prometheus import open_prometheus  # its server is slow to import

        tell += open_prometheus(settings, stack)
    reporter = HealthReporter(metrics, facts, Board(), tell, settings.interval_s)
    publisher.when_back(reporter.report_now)  # the last report may say that it is away
    reporter.start()
    stack.callback(reporter.close)
    return reporter.report_now
