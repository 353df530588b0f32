"""The recipe that a classifier's run, a model card or a file of its own records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.recipe import Recipe
from training.data.augmentation import Augmentation
from training.files import reason
from training.runs import SETTINGS, read_settings

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text",
         tuple: "a list"}  # fmt: skip


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run.

    Raises:
        UsageError: no run, or not a classifier's.
    """
    try:
        recipe = read_settings(run)["recipe"]
        if "kind" in recipe:
            raise ValueError(f"it is a run of {recipe['kind']}")
        return recipe_from(recipe)
    except ValueError as error:
        raise UsageError(f"{run}: not a classifier's run ({error})") from error


def read_recipe_file(path: Path) -> Recipe:
    """The recipe in a run's ``settings.json``, in a model card, or alone in a file.

    Raises:
        UsageError: none of these.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for part in ("run", "recipe"):
            content = content.get(part, content) if isinstance(content, dict) else content
        return recipe_from(content)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: no classifier's recipe in it ({reason(error)})") from error


def learnt_validation(network: Path) -> float:
    """Share of the validation split that a run, or a pair ``NAME.tflite``, has learnt."""
    file = network / SETTINGS if network.is_dir() else network.with_suffix(".json")
    return read_recipe_file(file).learn_validation if file.exists() else 0.0


def recipe_from(fields: Any) -> Recipe:
    """A recipe from its JSON form; what it does not know yet was not done then.

    Raises:
        ValueError: it is none; the text says in words what is missing or wrong.
    """
    if not isinstance(fields, dict):
        raise ValueError("it holds no recipe")
    if not isinstance(fields.get("augmentation"), dict):
        raise ValueError("the recipe lacks its augmentation")
    augmentation = {"p_blur": 0.0, "p_dark": 0.0, **fields["augmentation"]}
    require_fields(augmentation, Augmentation())
    teachers = fields.get("view_teachers", ())
    if not isinstance(teachers, list | tuple):
        raise ValueError("view_teachers is not a list")
    require_fields({**fields, "view_teachers": tuple(teachers)}, Recipe())
    fields = {**fields, "augmentation": Augmentation(**augmentation)}
    return Recipe(**{**fields, "view_teachers": tuple(teachers)})


def require_fields(fields: dict[str, Any], default: Any) -> None:
    """Refuses fields that a dataclass does not have, or has of another kind.

    Raises:
        ValueError: there is one; the text names it.
    """
    for name, value in fields.items():
        if not hasattr(default, name):
            raise ValueError(f"{name} is no setting of such a recipe")
        usual = getattr(default, name)
        number = isinstance(usual, float) and type(value) is int
        if type(value) is not type(usual) and not number and name != "augmentation":
            raise ValueError(f"{name} is {value!r}, not {KINDS[type(usual)]}")
