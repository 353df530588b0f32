"""The recipe that a classifier's run, a model card or a file of its own records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.recipe import Recipe
from training.data.augmentation import Augmentation
from training.runs import SETTINGS, read_settings


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run.

    Raises:
        UsageError: no run, or not a classifier's.
    """
    try:
        return recipe_from(read_settings(run)["recipe"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{run}: not a classifier's run ({error})") from error


def read_recipe_file(path: Path) -> Recipe:
    """The recipe in a run's ``settings.json``, in a model card, or alone in a file.

    Raises:
        UsageError: none of these.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content = content.get("run", content)
        return recipe_from(content.get("recipe", content))
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise UsageError(f"{path}: no classifier's recipe in it ({error})") from error


def learnt_validation(network: Path) -> float:
    """Share of the validation split that a run, or a pair ``NAME.tflite``, has learnt."""
    file = network / SETTINGS if network.is_dir() else network.with_suffix(".json")
    return read_recipe_file(file).learn_validation if file.exists() else 0.0


def recipe_from(fields: dict[str, Any]) -> Recipe:
    """A recipe from its JSON form; what it does not know yet was not done then."""
    augmentation = {"p_blur": 0.0, "p_dark": 0.0, **fields["augmentation"]}
    fields = {**fields, "augmentation": Augmentation(**augmentation)}
    fields["view_teachers"] = tuple(fields.get("view_teachers", ()))
    return Recipe(**fields)
