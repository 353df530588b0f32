"""From a landmark run to the pair that the device loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from device.vision.model_card import read_model
from device.vision.stage import LandmarkModel
from device.vocabulary import BoundingBox, Face
from export import landmarks
from export.__main__ import main
from tests.training.landmarks.drawn_afw import write_afw
from training.landmarks.network import build
from training.landmarks.train import WEIGHTS
from training.runs import write_settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as ``training landmarks`` leaves it, its model untrained."""
    folder = tmp_path_factory.mktemp("landmarks")
    afw = write_afw(folder / "afw")
    path = folder / "run"
    path.mkdir()
    data = {"afw": str(afw), "path": "fer2013.csv", "annotated": 2, "taught": 3}
    recipe = {
        "kind": "landmarks",
        "epochs": 1,
        "seed": 1,
        "teacher": "/home/me/face_landmark.tflite",
    }
    write_settings(path, recipe, data, "landmarks")
    keras.utils.set_random_seed(1)
    build().save_weights(path / WEIGHTS)
    return path


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    assert main(["landmarks", str(run), "--models", str(models)]) == 0
    return models / "landmarks.tflite"


def test_the_device_takes_the_pair(exported: Path) -> None:
    content, card = read_model(exported)
    assert card.task == "landmarks"
    assert card.facts["bytes"] == len(content) < 150_000
    assert card.facts["parity"]["off_px"] <= 0.05
    assert card.facts["metrics"]["faces"] == 2
    [face] = LandmarkModel.load(exported).place(
        np.full((120, 120), 90, np.uint8), [Face(BoundingBox(20, 20, 100, 100), 1.0)]
    )
    assert face.landmarks is not None
    assert face.landmarks.shape == (5, 2)


def test_the_card_keeps_no_path_of_the_machine(exported: Path) -> None:
    card = json.loads(exported.with_suffix(".json").read_text())
    assert card["run"]["recipe"]["teacher"] == "face_landmark.tflite"
    assert card["exported_by"].startswith("python -m export landmarks run")
    assert "/home" not in json.dumps(card)
    assert "/tmp" not in json.dumps(card)


def test_the_same_run_may_replace_its_own_file(exported: Path, run: Path) -> None:
    assert main(["landmarks", str(run), "--models", str(exported.parent)]) == 0


def test_a_file_with_larger_errors_is_refused_unless_forced(
    exported: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for path in (exported, exported.with_suffix(".json")):
        shutil.copy(path, tmp_path / path.name)
    before = exported.read_bytes()
    measured = landmarks.errors_on_device
    monkeypatch.setattr(
        landmarks,
        "errors_on_device",
        lambda content, samples: measured(content, samples) + (content != before) * 0.1,
    )
    worse = tmp_path / "worse"
    shutil.copytree(run, worse)
    keras.utils.set_random_seed(2)
    build().save_weights(worse / WEIGHTS)
    place = ["--models", str(tmp_path)]
    errors = {seed: measured(c, landmarks.held_out_samples(run.parent / "afw")).mean()
              for seed, c in ((1, before),)}  # fmt: skip
    assert main(["landmarks", str(worse), *place]) == 1
    words = capsys.readouterr().err
    assert "the mean error in eye distances" in words
    assert f"has {errors[1]:.4f} on the same 2 faces" in words
    assert "--force" in words
    assert (tmp_path / "landmarks.tflite").read_bytes() == before
    assert main(["landmarks", str(worse), *place, "--force"]) == 0
    assert (tmp_path / "landmarks.tflite").read_bytes() != before


def test_a_file_unlike_its_model_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(landmarks, "MAX_OFF_PX", -1.0)
    assert main(["landmarks", str(run), "--models", str(tmp_path / "models")]) == 1
    assert "points are off by" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
