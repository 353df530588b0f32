"""Recipes that train a tiny model on drawn patterns in seconds."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from training.classifier.recipe import Recipe
from training.data.augmentation import Augmentation

MILD = Augmentation(rotation_deg=0, scale=0, p_erasing=0, p_low_resolution=0, p_blur=0, p_dark=0)
TINY = replace(
    Recipe(), network="expression-tiny", epochs=2, batch_size=16, precision="float32",
    average_every=1, average_decay=0.8, augmentation=MILD,
)  # fmt: skip


def write_recipe_file(
    folder: Path, name: str, recipe: Recipe, pairs: dict[str, str], ships: bool = False
) -> None:
    content = {"hours": 2.0, "machine": "a test bench", "ships": ships, "pairs": pairs,
               "recipe": asdict(recipe)}  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(content))
