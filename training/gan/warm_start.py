"""Begins a generator's training with what another has learnt, not at random.

A run has all of it: generator, running mean, discriminator and guide. A pair that ships has the
generator alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.errors import ModelError, UsageError
from device.vision.synthesizer import Synthesizer
from training.gan.generator import settings_of
from training.gan.rebuild import read_generator, rebuild_generator
from training.gan.recipe import GanRecipe, read_gan_recipe
from training.gan.translation import Translation, steps_done

ALIKE = ("kind", "width", "blocks")  # of the two recipes


def is_pair(start: Path) -> bool:
    """A pair's ``.tflite``, not the directory of a run."""
    return start.suffix == ".tflite"


def steps_before(start: Path, recipe: GanRecipe) -> int:
    """Steps of what a training begins with, and of those before it.

    Args:
        start: a run or a pair.
        recipe: of the training that begins.

    Raises:
        UsageError: neither, or of another kind or size.
    """
    if is_pair(start):
        try:
            Synthesizer.load(start)
        except ModelError as error:
            raise UsageError(f"--start-from: {error}") from error
        content, card = read_generator(start)
        first = dict(card.facts["run"]["recipe"])
        require_alike(start, first, recipe)
        rebuild_generator(content, settings_of(recipe), f"--start-from {start}")
        return int(first.get("steps_before", 0)) + int(first.get("steps", 0))
    begun = read_gan_recipe(start)
    require_alike(start, vars(begun), recipe)
    return begun.steps_before + steps_done(start)


def require_alike(start: Path, first: Mapping[str, Any], recipe: GanRecipe) -> None:
    """Refuses a start of another kind or size.

    Raises:
        UsageError: it is one.
    """
    for name in ALIKE:
        if first.get(name) != getattr(recipe, name):
            raise UsageError(f"--start-from {start}: its {name} is {first.get(name)}")


def take_over(model: Translation, recipe: GanRecipe) -> None:
    """Gives a new training the networks that its recipe begins with; its steps stay 0.

    Raises:
        UsageError: they are not there, or of another size.
    """
    start = Path(recipe.start_from)
    if not is_pair(start):
        model.load_checkpoint(start / "state.npz", players_only=True)
        return
    content, _ = read_generator(start)
    weights = rebuild_generator(content, settings_of(recipe), str(start)).get_weights()
    model.generator.set_weights(weights)
    model.mean_generator.set_weights(weights)
