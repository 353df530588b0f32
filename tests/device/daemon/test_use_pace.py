from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.daemon.appliance import give_way, use_model
from device.daemon.build import build_vision
from device.daemon.governor import PACES
from device.daemon.use_pace import use_pace
from device.errors import ModelError
from device.settings import Settings
from device.vocabulary import BoundingBox, Face
from tests.device.daemon.test_commands import Bench

NORMAL, SLOWER, SMALL = PACES
WHY = "frames take longer than the camera's pace"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, vision=build_vision(Settings()))
    bench.device.settings = Settings()
    vision = bench.device.vision
    assert vision
    use_model(bench.device, vision.classifier)
    return bench


def answers_in(bench: Bench, seconds: int) -> int:
    """How often a face that keeps still is classified, at 15 frames a second, once it is steady."""
    crop = np.random.default_rng(0).integers(0, 255, (48, 48)).astype(np.uint8)
    face = Face(BoundingBox(0, 0, 100, 100), 1.0, track_id=1, crop=crop)
    classifier = bench.device.parts.classifier
    frames = [classifier.classify([face], n / 15)[0].is_new for n in range(15 * (seconds + 1))]
    return sum(frames[15:])


def test_slower_means_longer_intervals_and_a_problem_that_says_so(bench: Bench) -> None:
    device = bench.device
    vision = device.vision
    assert vision
    before_s = vision.tracker.interval.interval_s
    use_pace(device, SLOWER, WHY)
    assert vision.tracker.interval.interval_s == 2 * before_s
    assert device.model()["name"] == "expression"
    assert device.parts.status.problem == (
        "the board is too slow or too hot: faces are looked at less often"
    )
    use_pace(device, NORMAL, None)
    assert vision.tracker.interval.interval_s == before_s
    assert device.parts.status.problem is None


def test_a_face_is_classified_half_as_often(bench: Bench) -> None:
    normal = answers_in(bench, 4)
    use_pace(bench.device, SLOWER, WHY)
    assert answers_in(bench, 4) == pytest.approx(normal / 2, abs=2)


def test_the_model_gives_way_to_the_small_one_and_comes_back(bench: Bench) -> None:
    device = bench.device
    use_pace(device, SMALL, WHY)
    assert device.model()["name"] == "expression-tiny"
    assert device.parts.status.model.startswith("expression-tiny ")
    assert answers_in(bench, 1) > 0
    use_pace(device, SLOWER, None)
    assert device.model()["name"] == "expression"
    assert device.settings.classifier.model == "expression"


def test_the_small_model_stays_when_the_model_is_reloaded(bench: Bench) -> None:
    device = bench.device
    use_pace(device, SMALL, WHY)
    answer = bench.ask("reload-model")
    assert answer["data"]["model"]["name"] == device.model()["name"] == "expression-tiny"
    use_pace(device, SLOWER, None)
    assert device.model()["name"] == "expression"


def test_a_large_model_that_fails_at_the_small_pace_gives_way_to_the_small_one(
    bench: Bench,
) -> None:
    device = bench.device
    assert device.vision
    large = device.vision.classifier.card
    use_pace(device, SMALL, WHY)
    give_way(device, large, ModelError("it fails"))
    assert (device.model()["name"], device.pace) == ("expression-tiny", SMALL)


def test_a_small_model_that_fails_gives_way_and_nobody_says_that_it_is_in_use(
    bench: Bench,
) -> None:
    device = bench.device
    use_pace(device, SMALL, WHY)
    assert device.vision
    give_way(device, device.vision.classifier.card, ModelError("it fails"))
    assert (device.model()["name"], device.pace) == ("expression", SLOWER)
    assert "small" not in (device.parts.status.problem or "")


def test_where_the_small_model_cannot_be_loaded_nobody_says_that_it_is_in_use(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = bench.device
    monkeypatch.setattr("device.daemon.appliance.SMALL_MODEL", "gone")
    use_pace(device, SMALL, WHY)
    assert (device.model()["name"], device.pace) == ("expression", SLOWER)
    assert "small" not in (device.parts.status.problem or "")


def test_a_model_of_the_user_s_own_stays(bench: Bench) -> None:
    device = bench.device
    own = replace(device.settings.classifier, model="/somewhere/own.tflite")
    device.settings = replace(device.settings, classifier=own)
    use_pace(device, SMALL, WHY)
    assert (device.model()["name"], device.pace) == ("expression", SLOWER)


def test_another_problem_is_not_painted_over(bench: Bench) -> None:
    parts = bench.device.parts
    parts.status = replace(parts.status, problem="the state file is damaged")
    use_pace(bench.device, SLOWER, WHY)
    use_pace(bench.device, NORMAL, None)
    assert parts.status.problem == "the state file is damaged"


def test_in_safe_mode_nothing_happens(tmp_path: Path) -> None:
    bench = Bench(tmp_path, vision=None)
    use_pace(bench.device, SMALL, WHY)
    assert bench.device.pace is NORMAL
