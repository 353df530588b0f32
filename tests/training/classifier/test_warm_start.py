from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import device
from device.errors import UsageError
from training.__main__ import main
from training.classifier.fitting import fit
from training.classifier.networks import build
from training.classifier.recipe import Recipe
from training.classifier.trained import load_pair, predict
from training.classifier.warm_start import weights_of
from training.data.fer2013 import read_pictures
from training.runs import write_settings

MODELS = Path(device.__file__).parent / "models"
pytestmark = pytest.mark.usefixtures("untraced")


@pytest.mark.parametrize(
    ("network", "pair", "head"),
    [
        ("expression", "expression", "crowd"),
        ("expression", "expression-fer2013", "fer2013"),
        ("expression-tiny", "expression-tiny", "crowd"),
    ],
)
def test_a_network_started_from_a_pair_answers_as_the_pair(
    network: str, pair: str, head: str, drawn: tuple[Path, Path]
) -> None:
    pixels = read_pictures(*drawn).pixels
    file, _ = load_pair(MODELS / f"{pair}.tflite", "start")
    model = build(network)
    model.set_weights(weights_of(network, MODELS / f"{pair}.tflite", pixels))
    answers, wanted = predict(model, pixels), file.logits(pixels)
    assert np.abs(answers[head] - wanted).mean() < 0.2 * wanted.std()
    np.testing.assert_allclose(answers["crowd"], answers["fer2013"], rtol=1e-4, atol=1e-4)


def test_filters_have_one_length_and_norms_the_statistics_of_what_they_see(
    drawn: tuple[Path, Path],
) -> None:
    pixels = read_pictures(*drawn).pixels
    path = MODELS / "expression-tiny.tflite"
    model = build("expression-tiny")
    model.set_weights(weights_of("expression-tiny", path, pixels))
    kernel = np.asarray(model.layers[2].kernel)
    np.testing.assert_allclose((kernel**2).sum(axis=(0, 1, 2)), 1, rtol=1e-5)
    inputs = np.asarray(model.layers[2](model.layers[1](pixels[..., None].astype(np.float32))))
    np.testing.assert_allclose(model.layers[3].moving_mean, inputs.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(model.layers[3].moving_variance, inputs.var((0, 1, 2)), rtol=1e-3)


def test_training_goes_on_from_there(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    pictures, path = read_pictures(*drawn), MODELS / "expression-tiny.tflite"
    recipe = replace(Recipe(), network="expression-tiny", epochs=1, batch_size=16,
                     precision="float32", learning_rate=1e-6, start_from=str(path))  # fmt: skip
    write_settings(tmp_path, asdict(recipe), {}, "test")
    model = fit(tmp_path, pictures, recipe, resume=False, say=lambda line: None)
    file, _ = load_pair(path, "start")
    answers, wanted = predict(model, pictures.pixels)["crowd"], file.logits(pictures.pixels)
    assert np.abs(answers - wanted).mean() < 0.3 * wanted.std()


@pytest.mark.parametrize(
    ("network", "pair", "message"),
    [
        ("expression-tiny", "expression", "not a network expression-tiny"),
        ("expression", "expression-tiny", "not a network expression "),
        ("mini-xception", "expression-tiny", "not a network mini-xception"),
        ("expression", "landmarks", "no start: .*none of the heads"),
        ("expression", "absent", "no start: .*absent"),
    ],
)
def test_another_network_is_no_start(
    network: str, pair: str, message: str, drawn: tuple[Path, Path]
) -> None:
    with pytest.raises(UsageError, match=message):
        weights_of(network, MODELS / f"{pair}.tflite", read_pictures(*drawn).pixels)


def test_a_missing_start_is_said_before_a_run_is_made(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["classifier", "--data", str(drawn[0]), "--votes", str(drawn[1]), "--run",
             str(tmp_path / "run"), "--start-from", str(tmp_path / "absent.tflite")]  # fmt: skip
    assert main(words) == 2
    assert "no start: " in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
