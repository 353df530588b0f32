"""Makes the parts, one at a time; ``device.daemon`` joins them into what ``mien run`` runs.

Everything else knows protocols.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.camera.choose import make_source
from device.camera.newest_frame import NewestFrameCamera
from device.display.screen import NoScreen
from device.errors import ModelError
from device.mqtt.access import BrokerAccess, broker_access, embedded_access
from device.mqtt.embedded_broker import EmbeddedBroker
from device.mqtt.identity import Identity, Topics, make_device_id
from device.mqtt.outbox import MemoryOutbox, Outbox
from device.mqtt.publisher import MqttPublisher
from device.pipeline import FaceDetector, Parts
from device.service.metrics import Metrics
from device.service.model_store import ModelStore
from device.service.watchdog import NoWatchdog
from device.settings import Settings
from device.vision.classifier import TFLiteClassifier
from device.vision.detector import build_detector, choose_kind
from device.vision.landmarks import SHIPPED, LandmarkNetwork
from device.vision.quality import QualityGate
from device.vision.smoother import ExpressionSmoother
from device.vision.tracker import DetectAndTrack
from device.vocabulary import CameraState, Face, Frame, GreyImage, Scene, Status

log = logging.getLogger("mien")

MODELS = Path(__file__).parent / "models"
GENERATOR = "generator"  # name of its file and card


@dataclass(frozen=True)
class Vision:
    """The parts between a frame and its settled expressions."""

    detector: FaceDetector
    quality: QualityGate
    tracker: DetectAndTrack
    classifier: TFLiteClassifier
    smoother: ExpressionSmoother
    landmarks: LandmarkNetwork | None = None

    def examine(self, image: GreyImage) -> list[Face]:
        """The faces of a still picture, without tracking."""
        faces = self.detector.detect(image)
        if self.landmarks:
            faces = self.landmarks.place(image, faces)
        return self.quality.judge(image, faces)


def build_vision(settings: Settings, store: ModelStore | None = None) -> Vision:
    """Detector, tracker, classifier and smoother as the settings say.

    Args:
        settings: the tree.
        store: installed networks; None for the shipped ones alone.

    Raises:
        ModelError: the network and its card cannot be used.
        DetectorError: OpenCV lacks the detector.
    """
    detector = build_detector(settings.detector)
    quality = QualityGate(settings.quality)
    landmarks = load_landmarks()
    return Vision(
        detector,
        quality,
        DetectAndTrack(detector, quality, settings.detector.interval_s, landmarks),
        load_classifier(settings, store),
        ExpressionSmoother(settings.smoothing),
        landmarks,
    )


def load_landmarks() -> LandmarkNetwork | None:
    """What finds the five points; without it faces are named all the same."""
    try:
        return LandmarkNetwork.load(SHIPPED) if SHIPPED.is_file() else None
    except ModelError as error:
        log.warning("faces go without landmarks: %s", error)
        return None


def load_classifier(settings: Settings, store: ModelStore | None = None) -> TFLiteClassifier:
    """The network that ``classifier.model`` names: a path, an installed one, or a shipped one.

    An installed network that fails its self-test gives way to the one before it.

    Raises:
        ModelError: the network and its card cannot be used.
    """
    model = settings.classifier.model
    prior, threads = settings.classifier.prior, settings.classifier.threads
    if model.endswith(".tflite"):
        return TFLiteClassifier.load(Path(model), prior, threads)
    while store and (installed := store.find(model)):
        try:
            return TFLiteClassifier.load(installed, prior, threads)
        except ModelError as error:
            log.error("%s; back to the network before", error)
        try:
            store.rollback(model)
        except OSError as error:  # installed by somebody else: not ours to change
            log.error("cannot go back (%s): the shipped network serves", error)
            break
    shipped = MODELS / f"{model}.tflite"
    if not shipped.exists():
        known = ", ".join(sorted(path.stem for path in MODELS.glob("expression*.tflite")))
        raise ModelError(
            f"classifier.model = {model!r}: no such network is installed or shipped; shipped: {known}"
        )
    return TFLiteClassifier.load(shipped, prior, threads)


def find_generators(store: ModelStore) -> list[Path]:
    """Where the generators lie, best first: an installed one, the shipped one."""
    found = [store.find(GENERATOR), MODELS / f"{GENERATOR}.tflite"]
    return [path for path in found if path and path.is_file()]


@contextmanager
def build_offline_parts(settings: Settings, metrics: Metrics) -> Iterator[Parts]:
    """The parts as the daemon has them, without a camera and a screen, for ``mien bench``."""
    with ExitStack() as stack:
        publisher, _ = make_publisher(settings, MemoryOutbox(settings.outbox.max_events), stack)
        publisher.start()
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
            status=describe(settings, vision),
        )


def make_publisher(
    settings: Settings, outbox: Outbox, stack: ExitStack
) -> tuple[MqttPublisher, Callable[[], BrokerAccess]]:
    """A publisher to be started, and how the broker is reached.

    The embedded broker is a child process that comes up while the network is being loaded.
    """
    device_id = make_device_id(settings.device.id)
    if settings.mqtt.host:
        broker_access(settings.mqtt, device_id)  # what is wrong with its files is said at once ...
        reach = lambda: broker_access(settings.mqtt, device_id)  # noqa: E731 - ... and renewed ones read
    else:
        broker = EmbeddedBroker(settings.mqtt.port)
        stack.callback(broker.close)
        reach = lambda: embedded_access(broker.port, device_id)  # noqa: E731
    identity = Identity(device_id, settings.device.name)
    topics = Topics(settings.mqtt.prefix, device_id)
    publisher = MqttPublisher(reach, topics, identity, outbox=outbox)
    stack.callback(publisher.close)
    return publisher, reach


def describe(settings: Settings, vision: Vision) -> Status:
    """What runs, for topics and screen."""
    card = vision.classifier.card
    kind = choose_kind(settings.detector.kind)
    return Status(CameraState.ONLINE, model=f"{card.name} {card.version}", detector=kind)


class Unattended:
    """Control that nobody uses."""

    paused = False

    def apply_pending(self, scene: Scene, frame: Frame | None) -> None:
        """Nothing is asked."""
