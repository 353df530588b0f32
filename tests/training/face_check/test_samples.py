from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vocabulary import BoundingBox
from tests.training.drawn import drawn_rows, write_csv
from training.__main__ import main
from training.data.pictures import is_held_out
from training.face_check.network import build
from training.face_check.samples import (
    Samples,
    anywhere,
    chooses,
    look,
    of_pictures,
    overlap,
    parts_of,
    read_zip,
    straight,
    turned,
)
from training.face_check.train import (
    LATER_RATE,
    RATE,
    Drawn,
    choose_threshold,
    load_network,
    predict,
    train,
)


def test_no_file_that_is_held_out_is_learned_or_chooses_alone() -> None:
    names = [f"{number}.jpg" for number in range(2000)]
    assert all(chooses(name) for name in names if is_held_out(name))
    choosing = [name for name in names if chooses(name) and not is_held_out(name)]
    assert 100 < len(choosing) < 300


def test_parts_of_a_face_are_not_nearly_the_face() -> None:
    box = BoundingBox(100, 100, 200, 200)
    parts = parts_of([box] * 20, [box], np.random.default_rng(0))
    assert parts
    assert all(overlap(part, [box]) <= 0.3 for part in parts)


def test_boxes_turn_with_their_picture() -> None:
    picture = np.zeros((60, 100), np.uint8)
    picture[10:20, 70:90] = 255
    for view, (box,) in turned(picture, [BoundingBox(70, 10, 90, 20)]):
        x, y, right, bottom = box.as_pixels()
        assert view[y:bottom, x:right].min() == 255
        assert int(view.sum()) == 255 * 200


def test_boxes_anywhere_lie_in_the_picture_and_a_small_picture_has_some_too() -> None:
    random = np.random.default_rng(0)
    for box in anywhere(np.zeros((100, 300), np.uint8), random):
        assert box.xmin >= 0
        assert box.xmax <= 301
        assert 40 <= box.width <= 100.001
    assert anywhere(np.zeros((20, 20), np.uint8), random)


def test_the_hardest_tenth_is_drawn_more_often() -> None:
    others = np.stack([np.full((80, 80), grey, np.uint8) for grey in range(40)])
    drawn = Drawn(Samples(others, others), others[:0], others[:0])
    drawn.mine(lambda crops, training: crops[:, :1, 0, 0])  # the brighter, the harder
    random = np.random.default_rng(0)
    greys = np.array([drawn.other(random)[0, 0] for _ in range(1000)])
    assert 0.4 < (greys >= 36).mean() < 0.55


def test_looks_vary_and_the_straight_one_is_the_middle() -> None:
    picture = np.zeros((64, 64), np.uint8)
    picture[24:40, 24:40] = 200
    samples = of_pictures([picture], 0.0)
    random = np.random.default_rng(0)
    first, second = look(samples[0], random), look(samples[0], random)
    assert first.shape == second.shape == (48, 48)
    assert (first != second).any()
    crop = straight(samples)[0]
    assert crop[24, 24] > 150 > crop[2, 2]


def test_a_zip_gives_its_pictures_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5):
            _, data = cv2.imencode(".png", np.full((8, 8), number, np.uint8))
            archive.writestr(f"{number}.png", data.tobytes())
        archive.writestr("labels.csv", "")
    assert [int(picture[0, 0]) for picture in read_zip(path, 2)] == [0, 2]
    path.write_bytes(b"no zip")
    with pytest.raises(UsageError, match="not a readable zip"):
        read_zip(path, 2)


def test_the_model_learns_to_tell_two_kinds_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr("training.face_check.train.EPOCH_LOOKS", 128)
    monkeypatch.setattr("training.face_check.train.BATCH", 16)
    random = np.random.default_rng(0)
    bright, dark = (np.full((8, 80, 80), grey, np.uint8) for grey in (90, 90))
    bright[:, 20:60, 20:60] = 220
    keras.utils.set_random_seed(0)
    model = build()
    for layer in model.layers:  # 24 steps are too few for the usual moving statistics
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    rows = list(train(model, Drawn(Samples(bright, dark), bright, dark), 3, random))
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert predict(model, straight(bright)).min() > 0 > predict(model, straight(dark)).max()


def test_the_threshold_loses_few_of_the_faces() -> None:
    logits = np.arange(1000, dtype=np.float32)
    assert (logits < choose_threshold(logits)).mean() == pytest.approx(0.015, abs=0.002)
    assert choose_threshold(np.empty(0, np.float32)) == 0


def test_a_run_goes_on_from_the_weights_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.face_check.train.EPOCH_LOOKS", 128)
    square = np.full((4, 80, 80), 90, np.uint8)
    square[:, 20:60, 20:60] = 220
    samples = Samples(square, np.full((4, 80, 80), 90, np.uint8))
    monkeypatch.setattr("training.face_check.train.gather", lambda *_: (samples, samples))
    data = write_csv(tmp_path / "fer2013.csv", drawn_rows())
    words = [
        "face-check",
        "--afw",
        "afw",
        "--faceless",
        "walls",
        "--data",
        str(data),
        "--epochs",
        "1",
    ]
    first, later = tmp_path / "first", tmp_path / "later"
    assert main([*words, "--run", str(first)]) == 0
    # At a rate of nothing the weights stay those that the run began with.
    monkeypatch.setattr("training.face_check.train.LATER_RATE", 0.0)
    assert main([*words, "--run", str(later), "--seed", "2", "--start-from", str(first)]) == 0
    begun, went_on = (load_network(run).trainable_weights for run in (first, later))
    assert all(np.array_equal(a, b) for a, b in zip(begun, went_on, strict=True))
    assert json.loads((later / "settings.json").read_text())["recipe"]["start_from"] == "first"
    assert LATER_RATE < RATE


def test_a_start_that_is_no_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["face-check", "--afw", "afw", "--faceless", "walls", "--start-from", str(tmp_path)]
    assert main(words) == 2
    assert "not a run directory" in capsys.readouterr().err
