"""The files in the repository are what their cards say."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from device.vision.model_card import read_model
from export.calibration import calibrate
from export.evaluate import evaluate_card
from export.parity import run_crops
from training.classifier.metrics import truth_of
from training.classifier.read_recipe import read_recipe_file
from training.classifier.recipe import prior_of
from training.data.cleaning import clean_as
from training.data.fer2013 import Pictures, Split

MODELS = sorted((Path(__file__).parents[2] / "device" / "models").glob("expression*.tflite"))
MOST_BYTES = {"expression": 1_600_000, "expression-tiny": 100_000}


def test_the_network_of_the_default_settings_is_shipped() -> None:
    assert "expression" in [path.stem for path in MODELS]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_file_and_card_fit_and_answer_as_when_exported(path: Path) -> None:
    content, card = read_model(path)
    assert card.name == path.stem
    assert len(content) == card.facts["bytes"]
    assert len(content) <= MOST_BYTES[path.stem.removesuffix("-fer2013")]
    for golden in card.golden:
        crop = np.frombuffer(base64.b64decode(golden["input"]), np.uint8).reshape(1, 48, 48)
        np.testing.assert_allclose(run_crops(content, crop)[0], golden["output"], atol=1.0)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_conversion_cost_less_than_half_a_point(path: Path) -> None:
    parity = read_model(path)[1].facts["parity"]["int8"]
    assert parity["n"] > 500
    assert parity["accuracy_keras"] - parity["accuracy_tflite"] <= 0.005
    assert parity["agreement"] >= 0.98


@pytest.mark.fer2013
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_cards_numbers_can_be_measured_again(path: Path, fer2013_pictures: Pictures) -> None:
    content, card = read_model(path)
    measured = evaluate_card(content, card, fer2013_pictures, Split.TEST)
    expected = card.facts["metrics"]["test"]
    assert set(measured) >= {"natural", "balanced"}
    for prior in ("natural", "balanced"):
        for protocol, result in measured[prior].items():
            noted = expected[prior][protocol]
            assert result["n"] == noted["n"]
            for measure in ("accuracy", "balanced_accuracy", "ece"):
                assert result[measure] == pytest.approx(noted[measure], abs=0.01), measure


@pytest.mark.fer2013
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_prior_is_what_validation_gives(path: Path, fer2013_pictures: Pictures) -> None:
    content, card = read_model(path)
    recipe = read_recipe_file(path.with_suffix(".json"))
    pictures, _ = clean_as(fer2013_pictures, recipe)
    validation, head = pictures.split(Split.VALIDATION), str(card.facts["head"])
    truth = truth_of(validation, "majority" if head == "crowd" else "fer2013")
    logits = run_crops(content, validation.pixels)[truth.chosen]
    found = calibrate(logits, truth.labels, prior_of(pictures.split(Split.TRAIN), head))
    assert found.strength == pytest.approx(card.facts["prior_shift_strength"], abs=0.051)
    assert found.temperature == pytest.approx(card.temperature, abs=0.03)
    np.testing.assert_allclose(found.prior_shift, card.prior_shift, atol=0.15)
