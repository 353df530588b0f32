"""The only place where parts are made and joined; everything else knows protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from device.camera.choose import make_source
from device.camera.newest_frame import NewestFrameCamera
from device.display.choose import open_display
from device.display.screen import NoScreen
from device.mqtt.access import BrokerAccess, broker_access, embedded_access
from device.mqtt.embedded_broker import EmbeddedBroker
from device.mqtt.identity import Identity, make_device_id
from device.mqtt.message import Topics
from device.mqtt.publisher import MqttPublisher
from device.pipeline import FaceDetector, Parts, Status
from device.service.metrics import Metrics
from device.service.watchdog import NoWatchdog, SystemdWatchdog
from device.settings import Settings
from device.vision.classifier import TFLiteClassifier
from device.vision.detector import build_detector
from device.vision.quality import QualityGate
from device.vision.smoother import ExpressionSmoother
from device.vision.tracker import DetectAndTrack
from device.vocabulary import CameraState, Face, Frame, GreyImage, Scene

MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Vision:
    """The parts between a frame and its settled expressions."""

    detector: FaceDetector
    quality: QualityGate
    tracker: DetectAndTrack
    classifier: TFLiteClassifier
    smoother: ExpressionSmoother

    def examine(self, image: GreyImage) -> list[Face]:
        """The faces of a still picture, without tracking."""
        return self.quality.judge(image, self.detector.detect(image))


def build_vision(settings: Settings) -> Vision:
    """Detector, tracker, classifier and smoother as the settings say.

    Raises:
        ModelError: the network and its card cannot be used.
        DetectorError: OpenCV lacks the detector.
    """
    detector = build_detector(settings.detector)
    quality = QualityGate(settings.quality)
    return Vision(
        detector,
        quality,
        DetectAndTrack(detector, quality, settings.detector.interval_s),
        load_classifier(settings),
        ExpressionSmoother(settings.smoothing),
    )


def load_classifier(settings: Settings) -> TFLiteClassifier:
    """The network that ``classifier.model`` names: a shipped one, or a path to a ``.tflite``."""
    model = settings.classifier.model
    path = Path(model) if model.endswith(".tflite") else MODELS / f"{model}.tflite"
    return TFLiteClassifier.load(path, settings.classifier.prior, settings.classifier.threads)


@dataclass(frozen=True)
class Daemon:
    """The joined parts and what people are told at the start."""

    parts: Parts
    watchdog: SystemdWatchdog | NoWatchdog
    topics: Topics
    reach: Callable[[], BrokerAccess]


@contextmanager
def open_daemon(
    settings: Settings, out: TextIO, color: bool, under_systemd: bool
) -> Iterator[Daemon]:
    """Everything ``mien run`` needs, started in the order that gives the quickest first event.

    Closed in the opposite order: the screen first, the broker's clients before the broker.
    """
    with ExitStack() as stack:
        publisher, reach = _open_publisher(settings, stack)
        camera = NewestFrameCamera(
            make_source(settings.camera, color=settings.display.show_camera), settings.camera
        )
        camera.start()
        stack.callback(camera.close)
        vision = build_vision(settings)
        display = open_display(
            settings.display, settings.device.name, out, color, settings.capture.enabled
        )
        stack.callback(display.close)
        watchdog = SystemdWatchdog() if under_systemd else NoWatchdog()
        parts = Parts(
            camera=camera,
            tracker=vision.tracker,
            classifier=vision.classifier,
            smoother=vision.smoother,
            publisher=publisher,
            display=display,
            control=Unattended(),
            watchdog=watchdog,
            metrics=Metrics(),
            status=_status(settings, vision),
        )
        yield Daemon(parts, watchdog, publisher.topics, reach)
        watchdog.stopping()


@contextmanager
def build_offline_parts(settings: Settings, metrics: Metrics) -> Iterator[Parts]:
    """The parts as the daemon has them, without a camera and a screen, for ``mien bench``."""
    with ExitStack() as stack:
        publisher, _ = _open_publisher(settings, stack)
        vision = build_vision(settings)
        yield Parts(
            camera=NewestFrameCamera(make_source(settings.camera), settings.camera),
            tracker=vision.tracker,
            classifier=vision.classifier,
            smoother=vision.smoother,
            publisher=publisher,
            display=NoScreen(),
            control=Unattended(),
            watchdog=NoWatchdog(),
            metrics=metrics,
            status=_status(settings, vision),
        )


def _open_publisher(
    settings: Settings, stack: ExitStack
) -> tuple[MqttPublisher, Callable[[], BrokerAccess]]:
    """The started publisher and how the broker is reached.

    The embedded broker is a child process that comes up while the network is being loaded.
    """
    device_id = make_device_id(settings.device.id)
    if settings.mqtt.host:
        configured = broker_access(settings.mqtt, device_id)
        reach = lambda: configured  # noqa: E731 - one of two ways to the same thing
    else:
        broker = EmbeddedBroker(settings.mqtt.port)
        stack.callback(broker.close)
        reach = lambda: embedded_access(broker.port, device_id)  # noqa: E731
    identity = Identity(device_id, settings.device.name)
    publisher = MqttPublisher(reach, Topics(settings.mqtt.prefix, device_id), identity)
    publisher.start()
    stack.callback(publisher.close)
    return publisher, reach


def _status(settings: Settings, vision: Vision) -> Status:
    card = vision.classifier.card
    return Status(
        CameraState.ONLINE, model=f"{card.name} {card.version}", detector=settings.detector.kind
    )


class Unattended:
    """Control that nobody uses."""

    paused = False

    def apply_pending(self, scene: Scene, frame: Frame | None) -> None:
        """Nothing is asked."""
