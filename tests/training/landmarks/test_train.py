from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from device.errors import UsageError
from device.vision.preprocess import centred, to_view
from tests.training.conftest import eager_training
from tests.training.drawn import drawn_rows, write_csv
from tests.training.landmarks.drawn_afw import write_afw
from tests.training.landmarks.test_faces import POINTS, drawn
from training.__main__ import main
from training.landmarks import train as landmarks
from training.landmarks.measure import errors_of_looks, looks_at, wrong_box
from training.landmarks.network import build
from training.landmarks.train import load_network, mean_distance, predict, train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two short epochs whose teacher is sure of nothing but the annotated faces."""
    folder = tmp_path_factory.mktemp("landmarks")
    afw = write_afw(folder / "afw")
    data = write_csv(folder / "fer2013.csv", drawn_rows(per_kind=5))
    with pytest.MonkeyPatch.context() as patch, eager_training():
        patch.setattr(landmarks, "EPOCH_LOOKS", 128)
        patch.setattr(landmarks, "WARMUP_STEPS", 1)
        patch.setattr(landmarks, "load_teacher", lambda path: None)
        patch.setattr(landmarks, "learn_from_teacher", lambda faces, ask, ours: ours)
        words = ["--afw", str(afw), "--data", str(data), "--teacher", "face_landmark.tflite"]
        place = ["--run", str(folder / "run"), "--epochs", "2"]
        assert main(["landmarks", *words, *place]) == 0
    return folder / "run"


def test_a_run_directory_holds_all_of_the_training(run: Path) -> None:
    names = {"settings.json", "history.csv", "curves.png", "metrics.json", "landmarks.weights.h5"}
    assert {path.name for path in run.iterdir()} == names
    assert len((run / "history.csv").read_text().splitlines()) == 3
    settings = json.loads((run / "settings.json").read_text())
    assert settings["recipe"]["kind"] == "landmarks"
    assert settings["recipe"]["epochs"] == 2
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["looks"] == 4 * metrics["faces"] > 0
    assert 0 < metrics["error_of_crop"] < 1


def test_a_run_s_model_comes_back(run: Path) -> None:
    samples = [drawn()]
    crops, points = looks_at(samples, 3)
    answers = predict(load_network(run), crops)
    assert answers.shape == (3, 10)
    assert not np.allclose(answers, predict(build(), crops))
    assert errors_of_looks(answers, points).shape == (3,)


def test_a_run_is_not_overwritten(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "load_teacher", lambda path: None)
    folder = run.parent
    words = ["--afw", str(folder / "afw"), "--data", str(folder / "fer2013.csv")]
    assert main(["landmarks", *words, "--teacher", "t.tflite", "--run", str(run)]) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_a_teacher_that_is_not_there_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.parent
    words = ["--afw", str(folder / "afw"), "--data", str(folder / "fer2013.csv")]
    missing = ["--teacher", str(tmp_path / "none.tflite"), "--run", str(tmp_path / "run")]
    assert main(["landmarks", *words, *missing]) == 2
    assert "none.tflite: not MediaPipe's" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_unfinished_run_has_no_model(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "settings.json", tmp_path / "settings.json")
    with pytest.raises(UsageError, match="no usable weights yet"):
        load_network(tmp_path)


def test_the_model_learns_where_the_points_are() -> None:
    keras.utils.set_random_seed(0)
    model = build()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landmarks, "EPOCH_LOOKS", 128)
        patch.setattr(landmarks, "BATCH", 16)
        patch.setattr(landmarks, "WARMUP_STEPS", 4)
        rows = list(train(model, [drawn()], [drawn()], 2, np.random.default_rng(0)))
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["loss"] < rows[0]["loss"]


def test_distance_is_that_of_points_not_of_coordinates() -> None:
    truth, answer = np.zeros((1, 10), np.float32), np.zeros((1, 10), np.float32)
    answer[0, :2] = 0.3, 0.4
    assert float(mean_distance(truth, answer)) == pytest.approx(0.5 / 5, abs=2e-3)


def test_boxes_in_measuring_differ_a_little_and_every_time_alike() -> None:
    sample = drawn()
    box = wrong_box(sample, np.random.default_rng(0))
    assert box == wrong_box(sample, np.random.default_rng(0))
    assert 0.92 * 80 <= box.width <= 1.1 * 80
    assert abs(box.center[0] - 60) <= 0.05 * 80
    assert to_view(POINTS, centred(60, 60, 0.5, 0.0)).shape == (5, 2)
