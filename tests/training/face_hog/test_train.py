from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vision.hog import WINDOW_PX
from tests.training.drawn import drawn_rows, write_csv
from training.__main__ import main
from training.face_hog import train as face_hog
from training.face_hog.train import (
    choose_threshold,
    describe,
    distances,
    face_parts,
    fit,
    hardest_windows,
    jittered,
    load_arrays,
    random_windows,
    search,
)
from training.runs import write_settings


def ring_faces(number: int) -> np.ndarray:
    """(number, 48, 48) bright rings: something a HOG can learn in a second."""
    random = np.random.default_rng(0)
    faces = random.integers(60, 90, (number, 48, 48), dtype=np.uint8)
    for face in faces:
        cv2.circle(face, (24, 24), 16, 220, 4)
    return faces


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    random = np.random.default_rng(1)
    wall = random.integers(0, 255, (200, 300), dtype=np.uint8)
    negatives = describe(random_windows(cv2.GaussianBlur(wall, (0, 0), 3), random))
    return fit(describe(jittered(ring_faces(20), random, 200)), negatives)


def test_windows_have_the_detector_s_size_and_content() -> None:
    random = np.random.default_rng(0)
    for windows in (jittered(ring_faces(3), random, 5), face_parts(ring_faces(3), random, 5)):
        assert windows.shape == (5, WINDOW_PX, WINDOW_PX)
        assert windows.dtype == np.uint8
        assert windows.std() > 5


def test_learns_to_tell_faces_from_the_rest(weights: np.ndarray) -> None:
    random = np.random.default_rng(2)
    faces = distances(describe(jittered(ring_faces(10), random, 50)), weights)
    flat = distances(describe(np.full((5, WINDOW_PX, WINDOW_PX), 90, np.uint8)), weights)
    assert (faces > 0).mean() > 0.95
    assert (flat < 0).all()


def test_finds_the_ring_in_a_picture_and_mines_it_as_hard(weights: np.ndarray) -> None:
    picture = np.full((160, 200), 75, np.uint8)
    cv2.circle(picture, (120, 80), 16, 220, 4)
    boxes, scores = search(picture, weights, 0.0)
    x, y, side, _ = boxes[scores.argmax()]
    assert (x + side / 2, y + side / 2) == pytest.approx((120, 80), abs=8)
    mined = hardest_windows(picture, weights, 3)
    assert 1 <= len(mined) <= 3
    assert mined.shape[1:] == (WINDOW_PX, WINDOW_PX)


def test_threshold_lies_beyond_what_it_takes_for_faces(weights: np.ndarray) -> None:
    picture = np.full((160, 200), 75, np.uint8)
    cv2.circle(picture, (120, 80), 16, 220, 4)
    best = search(picture, weights, -1)[1].max()
    assert choose_threshold([picture], weights) == pytest.approx(best)


def write_walls(folder: Path, number: int = 6) -> Path:
    """Pictures without faces; some of them are held out by their names."""
    folder.mkdir()
    random = np.random.default_rng(1)
    for index in range(number):
        wall = cv2.GaussianBlur(random.integers(0, 255, (90, 120), dtype=np.uint8), (0, 0), 3)
        cv2.imwrite(str(folder / f"wall{index}.png"), wall)
    return folder


def test_a_run_directory_holds_all_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("MAX_FACES", 60), ("ROUNDS", 2), ("NUM_MEASURED", 30)):
        monkeypatch.setattr(face_hog, name, value)
    monkeypatch.setattr(face_hog.face_parts, "__defaults__", (40,))
    data = write_csv(tmp_path / "fer2013.csv", drawn_rows(per_kind=5))
    words = ["face-hog", "--data", str(data), "--faceless", str(write_walls(tmp_path / "walls"))]
    run = tmp_path / "run"
    assert main([*words, "--run", str(run)]) == 0
    assert f"next: python -m export face-hog {run}" in capsys.readouterr().out
    names = {"settings.json", "history.csv", "curves.png", "metrics.json", "weights.npz"}
    assert {path.name for path in run.iterdir()} == names
    assert json.loads((run / "settings.json").read_text())["recipe"]["kind"] == "face-hog"
    assert 0 <= json.loads((run / "metrics.json").read_text())["recall"] <= 1
    weights, threshold = load_arrays(run)
    assert weights.shape == (901,)
    assert threshold == pytest.approx(float(np.load(run / "weights.npz")["threshold"]))
    assert main([*words, "--run", str(run)]) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_an_unfinished_run_has_no_weights(tmp_path: Path) -> None:
    write_settings(tmp_path, {"kind": "face-hog"}, {}, "face-hog")
    with pytest.raises(UsageError, match="no usable weights yet"):
        load_arrays(tmp_path)
