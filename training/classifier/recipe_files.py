"""The recipe files: how each network that ships, and each of its teachers, is trained.

``recipes/NAME.json`` holds the recipe of the run ``NAME``, the pairs that are exported from it with
the head of each, what the training took on which machine, and whether its pairs ship. A recipe
calls its teachers by name: a run, or a pair ``NAME.tflite``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.networks import HEADS
from training.classifier.read_recipe import recipe_from
from training.classifier.recipe import Recipe
from training.files import reason

RECIPES = Path(__file__).with_name("recipes")


@dataclass(frozen=True)
class RecipeFile:
    """One recipe file.

    Attributes:
        path: of the file; its stem is the name of the run.
        recipe: how the run is trained; teachers by their names.
        pairs: exported from the run: the head of each, by the pair's name.
        ships: true where the device gets these pairs; otherwise they teach.
        hours: that the training took ...
        machine: ... on this machine.
    """

    path: Path
    recipe: Recipe
    pairs: dict[str, str]
    ships: bool
    hours: float
    machine: str

    @property
    def name(self) -> str:
        """Of the run."""
        return self.path.stem

    @property
    def teacher_pairs(self) -> tuple[str, ...]:
        """The pairs that the training needs, each once."""
        paths = (self.recipe.start_from, *self.recipe.view_teachers)
        return tuple(dict.fromkeys(Path(path).stem for path in paths if path))


def read_recipe_files(folder: Path = RECIPES) -> dict[str, RecipeFile]:
    """All recipe files of a folder by name.

    Raises:
        UsageError: there is none, or one is damaged, or two make the same pair.
    """
    files = [read_recipe_file(path) for path in sorted(folder.glob("*.json"))]
    if not files:
        raise UsageError(f"{folder}: no recipe files here")
    makers: dict[str, RecipeFile] = {}
    for file in files:
        for pair in file.pairs:
            if pair in makers:
                raise UsageError(f"{file.path}: {makers[pair].path.name} makes {pair}, too")
            makers[pair] = file
    return {file.name: file for file in files}


def read_recipe_file(path: Path) -> RecipeFile:
    """One recipe file.

    Raises:
        UsageError: unreadable, or a field is missing or of another kind.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content["pairs"], dict):
            raise ValueError("it names no pairs")
        pairs = {str(pair): str(head) for pair, head in content["pairs"].items()}
        if set(pairs.values()) - set(HEADS):
            raise ValueError(f"heads are {', '.join(HEADS)}")
        if not isinstance(content["hours"], int | float):
            raise ValueError("hours is not a number")
        return RecipeFile(path, recipe_from(content["recipe"]), pairs, bool(content["ships"]),
                          float(content["hours"]), str(content["machine"]))  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: not a recipe file ({reason(error)})") from error


def maker_of(pair: str, files: dict[str, RecipeFile], needed_by: str = "") -> RecipeFile:
    """The file whose run a pair is exported from.

    Raises:
        UsageError: none makes it.
    """
    for file in files.values():
        if pair in file.pairs:
            return file
    wanted = f"{needed_by} needs {pair}: no" if needed_by else f"{pair}: no"
    raise UsageError(f"{wanted} recipe file makes it; those that ship are {shipping(files)}")


def shipping(files: dict[str, RecipeFile]) -> str:
    """The names of the pairs that ship, for a sentence."""
    return ", ".join(pair for file in files.values() if file.ships for pair in file.pairs)


def by_name(recipe: Recipe) -> Recipe:
    """The recipe with its teachers' names instead of their paths."""
    return replace(
        recipe,
        teacher=Path(recipe.teacher).name,
        start_from=Path(recipe.start_from).name,
        view_teachers=tuple(Path(path).name for path in recipe.view_teachers),
    )


def differences(found: Recipe, wanted: Recipe) -> str:
    """The settings of a run that are not those of its recipe file, in words; "" if none."""
    ours, theirs = asdict(by_name(found)), asdict(by_name(wanted))
    return ", ".join(f"{k} {ours[k]}, not {theirs[k]}" for k in ours if ours[k] != theirs[k])
