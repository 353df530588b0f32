"""One call for a generator, whether it is a run or the pair that ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.errors import ModelError, UsageError
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS
from training.gan.recipe import read_gan_recipe

Crops = npt.NDArray[np.uint8]  # (n, 48, 48), as ``cut_face`` frames them
Flows = npt.NDArray[np.float32]  # (n, 48, 48, 2) in px
Translator = Callable[[Crops, int], tuple[Crops, Flows]]  # crops and an expression's number


def translator_of(path: Path) -> Translator:
    """What gives crops another expression.

    Args:
        path: directory of a generator's run, or a pair's ``.tflite``.

    Raises:
        UsageError: neither.
    """
    return of_pair(path) if path.suffix == ".tflite" else of_run(path)


def of_pair(path: Path) -> Translator:
    """The generator that a device runs."""
    try:
        synthesizer = Synthesizer.load(path)
    except ModelError as error:
        raise UsageError(str(error)) from error

    def translate(crops: Crops, expression: int) -> tuple[Crops, Flows]:
        made = [synthesizer.run(crop, EXPRESSIONS[expression]) for crop in crops]
        return np.stack([crop for crop, _ in made]), np.stack([flow for _, flow in made])

    return translate


def of_run(run: Path) -> Translator:
    """The generator of a training, with its averaged weights."""
    recipe = read_gan_recipe(run)
    from training.gan.generator import settings_of, with_flow  # TensorFlow takes seconds to load
    from training.gan.sheets import as_pixels, as_signed
    from training.gan.translation import load_generator

    generator = with_flow(load_generator(run, settings_of(recipe)))

    def translate(crops: Crops, expression: int) -> tuple[Crops, Flows]:
        targets = np.zeros((len(crops), len(EXPRESSIONS)), np.float32)
        targets[:, expression] = 1.0
        inputs = [as_signed(crops[..., None]), targets]
        made, flows = generator.predict(inputs, batch_size=256, verbose=0)
        return as_pixels(made[..., 0]), flows

    return translate
