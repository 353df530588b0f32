from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from device.vision import MODELS
from device.vision.synthesizer import Synthesizer
from device.vocabulary import Expression
from tests.training.drawn import draw
from training.gan.augment import synthesize
from training.gan.translator import translator_of

SURPRISE = list(Expression).index(Expression.SURPRISE)


def test_the_shipped_generator_translates_as_on_the_device() -> None:
    pixels = np.stack([draw(number, np.random.default_rng(number)) for number in range(3)])
    crops, flows = translator_of(MODELS / "generator.tflite")(pixels, SURPRISE)
    expected, flow = Synthesizer.load(MODELS / "generator.tflite").run(
        pixels[1], Expression.SURPRISE
    )
    np.testing.assert_array_equal(crops[1], expected)
    np.testing.assert_array_equal(flows[1], flow)
    assert crops.shape == pixels.shape


def test_its_faces_are_put_back_as_they_were_framed() -> None:
    pixels = np.stack([draw(number, np.random.default_rng(number)) for number in range(3)])
    made = synthesize(translator_of(MODELS / "generator.tflite"), pixels, SURPRISE)
    assert (made.shape, made.dtype) == (pixels.shape, np.uint8)
    assert (made != pixels).any()


def test_what_is_neither_run_nor_pair_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.tflite"):
        translator_of(tmp_path / "nothing.tflite")
    with pytest.raises(UsageError, match="not a run directory"):
        translator_of(tmp_path / "nothing")
