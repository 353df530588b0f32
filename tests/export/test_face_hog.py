"""From a run of the HOG detector to the arrays that the device reads, and their card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from device.errors import MienError
from device.vision.hog import read_weights
from device.vision.model_card import read_card
from export import face_hog
from export.__main__ import main
from tests.training.drawn import drawn_rows, write_csv
from tests.training.face_hog.test_train import ring_faces
from training.data.fer2013 import Split, read_pictures
from training.face_hog import train as training
from training.face_hog.train import describe, fit, jittered, random_windows, write_arrays
from training.runs import write_settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learnt the drawn patterns as faces, and rings as none."""
    folder = tmp_path_factory.mktemp("hog")
    data = write_csv(folder / "fer2013.csv", drawn_rows(per_kind=5))
    faces = read_pictures(data).split(Split.TRAIN).pixels
    random = np.random.default_rng(0)
    others = np.concatenate([random_windows(face, random) for face in ring_faces(2)])
    weights = fit(describe(jittered(faces, random, 200)), describe(others))
    path = folder / "run"
    path.mkdir()
    data_facts = {"path": str(data), "faceless": "walls"}
    write_settings(path, {"kind": "face-hog", "seed": 1}, data_facts, "face-hog")
    write_arrays(path, weights, 0.0)
    return path


@pytest.fixture(autouse=True)
def few_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "NUM_MEASURED", 100)


def test_the_device_reads_the_file_and_people_its_card(run: Path, tmp_path: Path) -> None:
    assert main(["face-hog", str(run), "--models", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"face_hog.npz", "face_hog.json"}
    weights, threshold = read_weights(tmp_path / "face_hog.npz")
    np.testing.assert_array_equal(weights, np.load(run / "weights.npz")["weights"])
    assert threshold == 0.0
    card = read_card(tmp_path / "face_hog.json")
    assert card.task == "detect"
    content = (tmp_path / "face_hog.npz").read_bytes()
    assert card.sha256 == hashlib.sha256(content).hexdigest()
    body = json.loads((tmp_path / "face_hog.json").read_text())
    assert body["input"]["shape"] == [36, 36]
    assert body["metrics"]["faces"] == 100
    assert "/tmp" not in json.dumps(body)


def test_a_detector_that_finds_fewer_faces_is_refused_unless_forced(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_hog, "MIN_RECALL", 0.0)
    place = ["--models", str(tmp_path / "models")]
    assert main(["face-hog", str(run), *place]) == 0
    path = tmp_path / "models" / "face_hog.npz"
    before = path.read_bytes()
    worse = tmp_path / "worse"
    worse.mkdir()
    (worse / "settings.json").write_text((run / "settings.json").read_text())
    write_arrays(worse, np.load(run / "weights.npz")["weights"], 1e3)
    assert main(["face-hog", str(worse), *place]) == 1
    words = capsys.readouterr().err
    assert "recall of FER2013's validation faces, jittered, is 0.00%" in words
    assert "on the same 100 faces" in words
    assert "--force" in words
    assert path.read_bytes() == before
    assert main(["face-hog", str(worse), *place, "--force"]) == 0
    assert path.read_bytes() != before


def test_a_detector_that_finds_too_few_is_not_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_hog, "MIN_RECALL", 1.01)
    assert main(["face-hog", str(run), "--models", str(tmp_path / "models")]) == 1
    assert "recall of validation faces" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_what_is_no_file_of_weights_is_said() -> None:
    with pytest.raises(MienError, match="not a file of HOG weights"):
        face_hog.unpack(b"nothing")
