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
from device.vision import MODELS
from device.vision.classifier import TFLiteClassifier
from device.vision.model_store import ModelStore, load_classifier
from device.vocabulary import Classification, EventType, Expression, Face
from tests.device.daemon.bench import BRIGHTNESS, FRAME, NOBODY, Bench, real_vision
from tests.fakes import FakeCamera, FakePublisher, grey_frame
from tests.scenes import scene_with

SHIPPED = MODELS / "expression-tiny.tflite"
BOX = scene_with(Expression.HAPPY).faces[0].box
FACE = Face(BOX, 1.0, crop=np.full((48, 48), 255, np.uint8))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, vision=real_vision())


class Failing:
    """A model whose runtime fails."""

    def __init__(self, version: str) -> None:
        self.card = replace(TFLiteClassifier.load(BRIGHTNESS).card, version=version)

    def classify(self, faces: Sequence[Face]) -> list[Classification]:
        raise ModelError("the TFLite runtime cannot run the model")


def test_a_model_that_fails_in_the_loop_gives_way_to_the_one_before(
    bench: Bench, tmp_path: Path
) -> None:
    for version in ("2", "3"):
        bench.install(tmp_path, version)
    use_model(bench.device, cast(TFLiteClassifier, Failing("3")))
    [answer] = bench.device.parts.classifier.classify([FACE], 0.0)
    assert answer.face is FACE
    assert bench.device.model()["version"] == "2"
    assert bench.device.parts.status.model == "brightness 2"


def test_where_no_model_is_left_the_device_goes_on_in_safe_mode(bench: Bench) -> None:
    use_model(bench.device, cast(TFLiteClassifier, Failing("1")))
    parts = bench.device.parts
    face = Face(scene_with(Expression.HAPPY).faces[0].box, 1.0)
    assert parts.classifier.classify([face], 0.0) == []
    assert "cannot run the model" in (parts.status.problem or "")
    assert bench.ask("get")["data"]["model"]["name"] == "none"


def start(folder: Path) -> Bench:
    """A start of the daemon up to its first turn, with version 2 or 3 of the model in use."""
    bench = Bench(folder, vision=real_vision())
    bench.device.watch.begin("brightness")
    use_model(bench.device, load_classifier(bench.device.settings, bench.device.store))
    bench.control.carry_out(NOBODY, None)
    return bench


def meet(bench: Bench, faces: Sequence[Face], now_s: float = 0.0) -> None:
    """A frame with these faces, and the turn after it."""
    bench.device.parts.classifier.classify(faces, now_s)
    bench.control.carry_out(NOBODY, FRAME)


@pytest.fixture
def two_versions(tmp_path: Path) -> Path:
    """A folder with version 3 in use and version 2 before it."""
    bench = Bench(tmp_path)
    for version in ("2", "3"):
        bench.install(tmp_path, version, self_test=TFLiteClassifier.load)
    return tmp_path


def version_of(folder: Path) -> str:
    return next(e.version for e in ModelStore(folder / "models").list() if e.is_current)


def test_a_start_without_frames_is_not_held_against_the_model(two_versions: Path) -> None:
    """The camera hangs or is unplugged, and then the watchdog or somebody ends it."""
    for _ in range(3):
        bench = start(two_versions)
        assert not (two_versions / "models" / "starting").exists()
        for _ in range(40):
            meet(bench, [])
        assert not (two_versions / "models" / "starting").exists()
    assert version_of(two_versions) == "3"


def test_a_model_that_kills_the_daemon_while_it_is_loaded_gives_way(two_versions: Path) -> None:
    for _ in range(2):
        Bench(two_versions).device.watch.begin("brightness")
        assert version_of(two_versions) == "3"
    Bench(two_versions).device.watch.begin("brightness")
    assert version_of(two_versions) == "2"
    Bench(two_versions).device.watch.begin("brightness")
    assert version_of(two_versions) == "2"


def test_a_model_that_kills_the_daemon_at_its_first_faces_gives_way(two_versions: Path) -> None:
    for _ in range(2):
        bench = start(two_versions)
        bench.device.parts.classifier.classify([FACE], 0.0)  # ... and here it died
        assert version_of(two_versions) == "3"
        start(two_versions)  # one without a face forgets nothing
    assert version_of(two_versions) == "2"


def test_a_model_that_is_reloaded_is_watched_at_its_first_faces(two_versions: Path) -> None:
    bench = start(two_versions)
    for _ in range(30):
        meet(bench, [FACE])
    bench.install(two_versions, "4", self_test=TFLiteClassifier.load)
    bench.ask("reload-model")
    bench.device.parts.classifier.classify([FACE], 9.0)
    assert " 1" in (two_versions / "models" / "starting").read_text()


def test_thirty_frames_settle_it_and_earlier_deaths_are_forgotten(two_versions: Path) -> None:
    note = two_versions / "models" / "starting"
    Bench(two_versions).device.watch.begin("brightness")
    bench = start(two_versions)
    assert note.read_text().endswith(" 1")
    meet(bench, [FACE])
    assert note.read_text().endswith(" 2")
    bench.control.carry_out(NOBODY, None)  # the camera goes ...
    assert note.read_text().endswith(" 1")
    for turn in range(29):  # ... and comes back
        meet(bench, [FACE] if turn == 0 else [], turn / 10)
        assert note.exists() == (turn < 28), turn
    meet(bench, [FACE], 9.0)
    assert not note.exists()


def test_a_small_model_in_its_place_settles_no_model_that_did_not_prove_itself(
    two_versions: Path,
) -> None:
    for _ in range(2):
        bench = start(two_versions)
        meet(bench, [FACE])
        bench.device.watch.around(lambda faces: [], TFLiteClassifier.load(SHIPPED).card)
        for turn in range(40):  # the governor's small model works on ...
            meet(bench, [], turn / 10)
        bench.device.watch.around(lambda faces: [], bench.device.vision.classifier.card)(  # type: ignore[union-attr]
            [FACE]
        )  # ... and the first one, back again, kills the daemon
    start(two_versions)
    assert version_of(two_versions) == "2"


def test_another_model_s_failure_takes_no_installed_one_away(two_versions: Path) -> None:
    """The governor's small model, or one that stands in, fails while the loop runs."""
    bench = start(two_versions)
    use_model(bench.device, cast(TFLiteClassifier, Failing("1")))
    bench.device.parts.classifier.classify([FACE], 0.0)
    assert bench.device.model()["version"] == "3"
    assert version_of(two_versions) == "3"


def test_a_model_that_is_not_tried_while_paused_is_not_blamed(bench: Bench, tmp_path: Path) -> None:
    bench.install(tmp_path, "2", self_test=TFLiteClassifier.load)
    bench.device.watch.begin("brightness")
    assert (tmp_path / "models" / "starting").exists()
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
    use_model(bench.device, cast(TFLiteClassifier, Failing("1")))
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
