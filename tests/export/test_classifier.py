from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from device.vision.classifier import TFLiteClassifier
from device.vision.model_card import read_model
from device.vision.tflite import Tensor, TFLiteModel
from export import classifier
from export.__main__ import main
from export.classifier import run_facts
from export.gate import GateError, require
from export.parity import Parity
from training.classifier.trained import load_network
from training.runs import read_settings


def test_the_pair_is_what_the_contract_says(drawn_pair: Path) -> None:
    content, card = read_model(drawn_pair)
    model = TFLiteModel(content)
    assert model.inputs == (Tensor((1, 48, 48, 1), np.uint8),)
    assert model.outputs == (Tensor((1, 7), np.float32),)
    assert model.run_each(np.zeros((5, 48, 48, 1), np.uint8)).shape == (5, 7)
    assert card.facts["parity"]["int8"]["agreement"] >= 0.98
    assert card.facts["bytes"] == len(content) <= 100_000
    assert set(card.facts["metrics"]) == {"validation"}


def test_the_device_takes_the_pair_and_passes_its_self_test(drawn_pair: Path) -> None:
    classifier = TFLiteClassifier.load(drawn_pair)
    crops = np.zeros((3, 48, 48), np.uint8)
    np.testing.assert_allclose(classifier.probabilities(crops).sum(axis=1), 1, atol=1e-5)


def test_the_card_keeps_no_path_of_the_machine_and_no_picture_of_a_person(drawn_pair: Path) -> None:
    text = drawn_pair.with_suffix(".json").read_text()
    assert "/tmp" not in text
    golden = json.loads(text)["golden"]
    assert len(golden) == 4
    assert all(len(base64.b64decode(entry["input"])) == 48 * 48 for entry in golden)


def test_a_pair_is_calibrated_anew_without_its_run(
    drawn_pair: Path, drawn_run: Path, tmp_path: Path
) -> None:
    before = read_model(drawn_pair)[1]
    pair = tmp_path / drawn_pair.name
    shutil.copy(drawn_pair, pair)
    wrong = {"temperature": 9.0, "prior_shift": [1.0] * 7}
    text = json.loads(drawn_pair.with_suffix(".json").read_text()) | wrong
    pair.with_suffix(".json").write_text(json.dumps(text))
    folder = drawn_run.parent
    words = ["--data", str(folder / "fer2013.csv"), "--votes", str(folder / "fer2013new.csv")]
    assert main(["calibrate", str(pair), *words]) == 0
    content, card = read_model(pair)
    assert content == drawn_pair.read_bytes()
    assert card.temperature == before.temperature
    assert card.prior_shift == before.prior_shift
    assert card.facts["run"] == before.facts["run"]
    assert card.facts["metrics"] == before.facts["metrics"]
    assert "/tmp" not in pair.with_suffix(".json").read_text()


def test_a_pair_that_is_not_there_is_not_calibrated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(tmp_path / "none" / "drawn.tflite")]) == 2
    assert "no pair: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_card_that_a_kill_kept_from_its_place_is_found_by_evaluate(
    drawn_pair: Path, drawn_run: Path, tmp_path: Path
) -> None:
    pair = tmp_path / drawn_pair.name
    shutil.copy(drawn_pair, pair)
    shutil.copy(drawn_pair.with_suffix(".json"), tmp_path / "drawn.json.part")
    data = ["--data", str(drawn_run.parent / "fer2013.csv")]
    assert main(["evaluate", str(pair), *data]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn.json", "drawn.tflite"]


def test_nothing_is_left_half_written(drawn_pair: Path) -> None:
    assert sorted(path.name for path in drawn_pair.parent.iterdir()) == [
        "drawn.json",
        "drawn.tflite",
    ]


def test_a_conversion_that_answers_otherwise_is_not_written(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, models = tmp_path / "run", tmp_path / "models"
    shutil.copytree(drawn_run, run)
    model = load_network(run)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[-1] >= 16:
            # Two orders of magnitude between neighbouring outputs: int8 cannot follow.
            spread = np.where(np.arange(layer.kernel.shape[-1]) % 2, 300.0, 0.01)
            layer.kernel.assign(layer.kernel * spread)
    model.save_weights(run / "averaged.weights.h5")
    assert main(["classifier", str(run), "--models", str(models)]) == 1
    assert "not exported, on" in capsys.readouterr().err
    assert not models.exists()


def test_a_folder_that_is_no_run_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classifier", str(tmp_path)]) == 2
    assert "not a run directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parity", "words"),
    [
        (Parity(100, 0.97, 0.9, 0.9, 0.1), "agreement 97.00% is below"),
        (Parity(100, 0.99, 0.9, 0.89, 0.1), "accuracy falls by 1.00%"),
        (Parity(100, 0.99, 0.9, 0.9, 0.6), "a probability differs by 0.60"),
        (Parity(100, float("nan"), 0.9, 0.9, 0.1), "agreement"),
    ],
)
def test_the_gate_names_what_failed(parity: Parity, words: str) -> None:
    with pytest.raises(GateError, match=words):
        require(parity.limits(), "100 pictures")


def test_the_gate_lets_a_better_file_pass() -> None:
    require(Parity(100, 0.99, 0.90, 0.92, 0.1).limits(), "100 pictures")


def test_evaluate_and_benchmark_print_a_line_each(
    drawn_pair: Path, drawn_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_run.parent
    words = ["--data", str(folder / "fer2013.csv"), "--votes", str(folder / "fer2013new.csv")]
    assert main(["evaluate", str(drawn_pair), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("PrivateTest fer2013   natural  n    14  accuracy")
    assert main(["evaluate", str(drawn_pair), *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["balanced"]["majority"]["n"] == 14
    assert main(["benchmark", str(drawn_pair), "--repeats", "5"]) == 0
    assert "ms a face, litert" in capsys.readouterr().out


def test_the_card_names_what_taught_by_its_name_alone(drawn_run: Path) -> None:
    settings = read_settings(drawn_run)
    settings["recipe"] |= {
        "teacher": "/home/me/runs/wise",
        "start_from": "/home/me/models/first.tflite",
        "view_teachers": ["/home/me/models/one.tflite", "two.tflite"],
    }
    recipe = run_facts(drawn_run, settings)["recipe"]
    assert (recipe["teacher"], recipe["start_from"]) == ("wise", "first.tflite")
    assert recipe["view_teachers"] == ["one.tflite", "two.tflite"]


def test_the_nearest_of_several_int8_files_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([0.3, 0.1, 0.05, 0.4, 0.2, 0.6])

    def off(content: bytes, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), 7), float(content), np.float32)

    monkeypatch.setattr(classifier, "NUM_DRAWS", 6)
    monkeypatch.setattr(classifier, "one_head", lambda model, head: None)
    monkeypatch.setattr(classifier, "convert", lambda *a: str(next(errors)).encode())
    monkeypatch.setattr(classifier, "run_crops", off)
    monkeypatch.setattr(
        classifier, "predict", lambda model, pixels: {"crowd": np.zeros((len(pixels), 7))}
    )
    pixels = np.zeros((100, 48, 48), np.uint8)
    assert classifier.nearest_int8(None, "crowd", pixels) == b"0.05"
