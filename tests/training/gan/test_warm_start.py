"""A training that begins with the generator that ships."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from device.vision import MODELS
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS
from tests.training.conftest import eager_training
from tests.training.drawn import draw
from training.__main__ import main
from training.gan.generator import GeneratorSettings, build_generator, two_sided, with_flow
from training.gan.rebuild import read_generator, rebuild_generator
from training.gan.recipe import LOSSES, GanRecipe, read_gan_recipe
from training.gan.sheets import as_pixels, as_signed
from training.gan.stargan import StarGan
from training.gan.translation import steps_done
from training.gan.warm_start import steps_before, take_over

SHIPPED = MODELS / "generator.tflite"
SHORT = ["--steps", "2", "--guide-steps", "1", "--batch-size", "7", "--precision", "float32"]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A copy of the pair that ships, to damage or to take away."""
    for name in ("generator.tflite", "generator.json"):
        shutil.copy(MODELS / name, tmp_path)
    return tmp_path / "generator.tflite"


class Begun:
    """The two networks of a training that a pair fills."""

    def __init__(self) -> None:
        self.generator, self.mean_generator = build_generator(), build_generator()


def test_the_generators_make_the_pictures_of_the_file() -> None:
    begun = Begun()
    take_over(begun, GanRecipe(start_from=str(SHIPPED)))
    crops = np.stack([draw(number, np.random.default_rng(number)) for number in range(3)])
    file = Synthesizer.load(SHIPPED)
    for generator in (begun.generator, begun.mean_generator):
        both_sides = with_flow(two_sided(generator))
        for number, expression in enumerate(EXPRESSIONS):
            targets = np.eye(7, dtype=np.float32)[[number] * len(crops)]
            made, flows = both_sides.predict([as_signed(crops[..., None]), targets], verbose=0)
            expected, moved = zip(*(file.run(crop, expression) for crop in crops), strict=True)
            off = as_pixels(made[..., 0]).astype(int) - np.stack(expected)
            assert np.abs(off).max() <= 2
            np.testing.assert_allclose(flows, np.stack(moved), atol=0.05)
            assert np.abs(np.stack(expected).astype(int) - crops).mean() > 1  # it does something


def test_the_steps_before_are_those_of_the_card() -> None:
    assert steps_before(SHIPPED, GanRecipe()) == 8000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 48}, "its width is 64"),
        ({"blocks": 4}, "its blocks is 5"),
        ({"kind": "cgan", "losses": LOSSES["cgan"]()}, "its kind is stargan"),
    ],
)
def test_a_pair_of_another_size_or_kind_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(UsageError, match=rf"generator\.tflite: {said}"):
        steps_before(SHIPPED, replace(GanRecipe(), **changes))


def test_a_card_that_says_another_size_than_the_file_has_is_refused(pair: Path) -> None:
    card = pair.with_suffix(".json")
    card.write_text(card.read_text().replace('"width": 64', '"width": 48'))
    with pytest.raises(UsageError, match="nothing in it fits the layer"):
        steps_before(pair, GanRecipe(width=48))


def test_what_is_no_generator_is_refused_before_anything_is_made(
    pair: Path, drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.write_bytes(pair.read_bytes()[:-1000])
    for start, said in (
        (tmp_path / "absent.tflite", "cannot read the model"),
        (pair, "truncated, or the card belongs to another file"),
        (MODELS / "expression-tiny.tflite", "its card says it can 'classify'"),
    ):
        run = tmp_path / "run"
        words = ["--data", str(drawn[0]), "--votes", str(drawn[1]), "--run", str(run)]
        assert main(["stargan", *words, "--start-from", str(start)]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("training: --start-from")
        assert str(start) in line
        assert said in line
        assert not run.exists()


def test_a_file_of_other_layers_is_not_rebuilt() -> None:
    content = (MODELS / "landmarks.tflite").read_bytes()
    with pytest.raises(UsageError, match="nothing in it fits the layer"):
        rebuild_generator(content, GeneratorSettings(), "landmarks.tflite")


def test_an_interrupted_run_goes_on_without_the_pair(
    pair: Path,
    drawn: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, begun = tmp_path / "run", []
    content, _ = read_generator(pair)
    shipped = rebuild_generator(content, GeneratorSettings(), "").get_weights()
    step = StarGan.train_step

    def interrupted(model: StarGan, data: object) -> object:
        begun.append([w.copy() for w in model.mean_generator.get_weights()])
        os.kill(os.getpid(), signal.SIGTERM)
        return step(model, data)

    words = ["--data", str(drawn[0]), "--votes", str(drawn[1]), "--run", str(run), *SHORT]
    with eager_training():
        with monkeypatch.context() as patch:
            patch.setattr(StarGan, "train_step", interrupted)
            assert main(["stargan", *words, "--start-from", str(pair)]) == 130
        said = capsys.readouterr().out
        assert f"begins with the generator of {pair}" in said
        assert "discriminator: that begins at random. The guide is trained anew." in said
        for ours, theirs in zip(begun[0], shipped, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        pair.unlink()
        assert steps_done(run) == 1
        assert main(["stargan", "--resume", str(run)]) == 0
    assert steps_done(run) == 2
    assert read_gan_recipe(run).steps_before == 8000
