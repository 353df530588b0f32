from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from device.vision.landmarks import LandmarkNetwork
from device.vision.model_card import read_model
from device.vision.preprocess import centred, to_view
from tests.training.landmarks.test_faces import POINTS, drawn
from training.landmarks.network import build, convert
from training.landmarks.train import mean_distance, relative_errors, train, write, wrong_box


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """A network that has seen one drawn face for a moment."""
    keras.utils.set_random_seed(0)
    model = build()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.landmarks.train.EPOCH_LOOKS", 512)
        patch.setattr("training.landmarks.train.WARMUP_STEPS", 4)
        train(model, [drawn()], [drawn()], 2, np.random.default_rng(0))
    return model


def test_the_network_learns_where_the_points_are(trained: keras.Model) -> None:
    crops = np.zeros((1, 48, 48, 1), np.float32)
    points = np.array(trained(crops)).reshape(5, 2)
    assert points.shape == (5, 2)
    assert (points > 0.05).all()
    assert (points < 0.95).all()


def test_the_file_keeps_its_size_and_the_device_takes_it(
    trained: keras.Model, tmp_path: Path
) -> None:
    content = convert(trained)
    assert len(content) < 150_000
    errors = relative_errors(LandmarkNetwork(content), [drawn(), drawn()])
    assert errors.shape == (2,)
    assert errors.mean() < 1.0
    path = tmp_path / "landmarks.tflite"
    write(path, content, {"median": 0.1}, 3, 4, "landmarks --seed 1")
    stored, card = read_model(path)
    assert stored == content
    assert card.task == "landmarks"
    assert card.facts["metrics"] == {"median": 0.1}
    assert card.facts["exported_by"] == "python -m training landmarks --seed 1"


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
