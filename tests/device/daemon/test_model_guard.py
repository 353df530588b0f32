"""Models that fail or kill the daemon while it runs, and a memory that is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from device.daemon.appliance import use_model
from device.errors import ModelError
from device.pipeline import process
from device.settings.tree import Smoothing
from device.vision.classifier import TFLiteClassifier
from device.vocabulary import Classification, EventType, Expression, Face
from tests.device.daemon.bench import BRIGHTNESS, FRAME, NOBODY, Bench, real_vision
from tests.fakes import FakeCamera, FakePublisher, grey_frame
from tests.scenes import scene_with


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, vision=real_vision())


class Failing:
    """A model whose runtime fails."""

    card = TFLiteClassifier.load(BRIGHTNESS).card

    def classify(self, faces: Sequence[Face]) -> list[Classification]:
        raise ModelError("the TFLite runtime cannot run the model")


def test_a_model_that_fails_in_the_loop_gives_way_to_the_one_before(
    bench: Bench, tmp_path: Path
) -> None:
    for version in ("2", "3"):
        bench.install(tmp_path, version)
    use_model(bench.device, cast(TFLiteClassifier, Failing()))
    face = Face(
        scene_with(Expression.HAPPY).faces[0].box, 1.0, crop=np.full((48, 48), 255, np.uint8)
    )
    [answer] = bench.device.parts.classifier.classify([face], 0.0)
    assert answer.face is face
    assert bench.device.model()["version"] == "2"
    assert bench.device.parts.status.model == "brightness 2"


def test_where_no_model_is_left_the_device_goes_on_in_safe_mode(bench: Bench) -> None:
    use_model(bench.device, cast(TFLiteClassifier, Failing()))
    parts = bench.device.parts
    face = Face(scene_with(Expression.HAPPY).faces[0].box, 1.0)
    assert parts.classifier.classify([face], 0.0) == []
    assert "cannot run the model" in (parts.status.problem or "")
    assert bench.ask("get")["data"]["model"]["name"] == "none"


def test_a_start_that_works_is_not_held_against_the_model(bench: Bench, tmp_path: Path) -> None:
    bench.install(tmp_path, "2")
    bench.device.store.begin("brightness")
    assert (tmp_path / "models" / "starting").exists()
    for turn in range(60):
        assert (tmp_path / "models" / "starting").exists(), turn
        bench.control.carry_out(NOBODY, FRAME if turn % 2 else None)  # the camera comes and goes
    assert not (tmp_path / "models" / "starting").exists()


def test_a_model_that_is_not_tried_while_paused_is_not_blamed(bench: Bench, tmp_path: Path) -> None:
    bench.install(tmp_path, "2")
    bench.device.store.begin("brightness")
    bench.device.parts.paused = True
    bench.control.carry_out(NOBODY, None)
    assert not (tmp_path / "models" / "starting").exists()


def test_who_is_in_view_vanishes_when_safe_mode_begins(bench: Bench) -> None:
    parts, vision = bench.device.parts, real_vision()
    parts.smoother = vision.smoother
    parts.smoother.retune(Smoothing(dwell_s=0))
    use_model(bench.device, vision.classifier)
    camera = parts.camera
    process(parts, grey_frame(0.0))
    use_model(bench.device, cast(TFLiteClassifier, Failing()))
    process(parts, grey_frame(0.1))
    process(parts, grey_frame(0.2))
    assert isinstance(parts.publisher, FakePublisher)
    assert [(e.event_type, e.at_s) for e in parts.publisher.events] == [
        (EventType.APPEARED, 0.0),
        (EventType.VANISHED, 0.1),
    ]
    assert isinstance(camera, FakeCamera)
    assert camera.is_closed
    assert "cannot run the model" in (parts.camera.problem or "")


def test_a_damaged_memory_is_a_problem_until_somebody_resumes(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    bench = Bench(tmp_path)
    assert bench.device.parts.paused
    parts = bench.device.parts
    parts.status = replace(parts.status, problem=bench.device.state.problem)
    bench.ask("resume")
    assert (parts.paused, parts.status.problem) == (False, None)
    assert not Bench(tmp_path).device.parts.paused
