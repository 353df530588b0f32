"""A device without camera and network around the commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device.daemon.appliance import Appliance
from device.daemon.commands import Control
from device.daemon.model_guard import DeathWatch
from device.daemon.state_file import StateFile
from device.mqtt.command_queue import CommandQueue
from device.settings import Settings, replace_setting
from device.settings.tree import Quality
from device.vision.classifier import TFLiteClassifier
from device.vision.expression_smoother import ExpressionSmoother
from device.vision.generator import LazySynthesizer
from device.vision.haar import HaarDetector
from device.vision.model_store import ModelStore
from device.vision.stage import FaceStage, Vision
from device.vision.tracker import DetectAndTrack
from device.vision.trial import try_out
from device.vocabulary import Frame, Scene
from tests.fakes import FakeDisplay, fake_parts
from tests.generators import STEPS

NOBODY = Scene((), 640, 480, 0.0)
FRAME = Frame(np.full((480, 640), 128, np.uint8), 0.0)
BRIGHTNESS = Path(__file__).parents[2] / "golden/brightness.tflite"


def real_vision() -> Vision:
    stage = FaceStage(HaarDetector(40, 5), Quality())
    classifier = TFLiteClassifier.load(BRIGHTNESS)
    smoother = ExpressionSmoother(Settings().smoothing)
    return Vision(stage, DetectAndTrack(stage.detect, 0.2), classifier, smoother)


class Bench:
    """A device without its camera and network around the commands."""

    def __init__(
        self, folder: Path, publish_pictures: bool = False, vision: Vision | None = None
    ) -> None:
        self.answers: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []
        self.is_connected = True
        self.stops = self.reports = 0
        self.screen = FakeDisplay()
        state = StateFile(folder / "settings.json")
        store = ModelStore(folder / "models")
        settings = replace_setting(Settings(), "classifier.model", "brightness")
        self.device = Appliance(
            state.apply(settings),
            state,
            replace(fake_parts([]), paused=state.paused),
            vision,
            store=store,
            watch=DeathWatch(store),
            generator=LazySynthesizer(lambda: [STEPS]),
            screen=self.screen,
            stop=self.stop,
            say_picture=self.say_picture if publish_pictures else None,
        )
        self.commands = CommandQueue(self.respond, clock=lambda: 0.0)
        self.control = Control(self.device, self.commands, self.report)

    def say_picture(self, picture: bytes) -> bool:
        self.pictures.append(picture)
        return self.is_connected

    def stop(self) -> None:
        self.stops += 1

    def report(self) -> None:
        self.reports += 1

    def respond(
        self,
        name: str,
        transaction: str | None,
        *,
        data: Any = None,
        error: str = "",
        reply_to: object = None,
    ) -> None:
        self.answers.append({"name": name, "data": data, "error": error})

    def ask(
        self, name: str, scene: Scene = NOBODY, frame: Frame | None = None, **body: Any
    ) -> dict[str, Any]:
        self.send(name, **body)
        self.control.carry_out(scene, frame)
        return self.answers[-1]

    def send(self, name: str, **body: Any) -> None:
        self.commands.receive(f"mien/x/command/{name}", json.dumps(body).encode(), False)

    def install(
        self,
        folder: Path,
        version: str,
        break_it: bool = False,
        self_test: Callable[[Path], object] = try_out,
    ) -> None:
        """Another version of the model, as ``mien model install`` puts it there."""
        bundle = folder / f"bundle-{version}"
        bundle.mkdir()
        shutil.copy(BRIGHTNESS, bundle)
        card = json.loads(BRIGHTNESS.with_suffix(".json").read_text())
        (bundle / "brightness.json").write_text(json.dumps({**card, "version": version}))
        self.device.store.install(bundle, self_test)
        if break_it:
            path = self.device.store.find("brightness")
            assert path
            path.write_bytes(b"damaged")
