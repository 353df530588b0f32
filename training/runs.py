"""The run directory: everything of one training, written so that it can be resumed and repeated.

``settings.json`` (recipe, data, versions, revision), ``history.csv``, ``last.weights.h5``
(weights and optimizer, to resume), ``averaged.weights.h5`` (what is evaluated and exported),
``dropped.csv``, ``augmentation.png``, ``curves.png``, ``confusion-*.png``, ``metrics-SPLIT.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from device.errors import UsageError
from training.classifier.recipe import Recipe
from training.data.augmentation import Augmentation
from training.files import write_json

RUNS = Path("runs")
FLAGS = {"run_path": "run", "view_teachers": "view-teacher"}  # options of other names


def newest_run(folder: Path = RUNS) -> Path:
    """The run directory that was written to last.

    Raises:
        UsageError: there is none.
    """
    runs = sorted(folder.glob("*/settings.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise UsageError(
            f"{folder}: no runs here yet; train one with python -m training classifier"
        )
    return runs[-1].parent


def write_settings(run: Path, recipe: Recipe, data: dict[str, Any], command: str) -> None:
    """Notes what is being trained, on what, by which versions."""
    settings = {
        "recipe": asdict(recipe),
        "data": data,
        "command": command,
        "git_revision": git_revision(),
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
        },
        "machine": platform.machine(),
    }
    write_json(run / "settings.json", settings)


def read_settings(run: Path) -> dict[str, Any]:
    """The settings of a run.

    Raises:
        UsageError: not a run directory.
    """
    try:
        settings: dict[str, Any] = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{run}: not a run directory ({error})") from error
    return settings


def mark_finished(run: Path) -> None:
    """Notes that a run has its last epoch and its measurements."""
    write_json(run / "settings.json", {**read_settings(run), "finished": True})


def is_finished(run: Path) -> bool:
    """True where nothing of a run is left to do."""
    return bool(read_settings(run).get("finished"))


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
    file = network / "settings.json" if network.is_dir() else network.with_suffix(".json")
    return read_recipe_file(file).learn_validation if file.exists() else 0.0


def recipe_from(fields: dict[str, Any]) -> Recipe:
    """A recipe from its JSON form; what it does not know yet was not done then."""
    augmentation = {"p_blur": 0.0, "p_dark": 0.0, **fields["augmentation"]}
    fields = {**fields, "augmentation": Augmentation(**augmentation)}
    fields["view_teachers"] = tuple(fields.get("view_teachers", ()))
    return Recipe(**fields)


def shorten(command: str) -> str:
    """The command with files and folders by their names, as a reader elsewhere would type it."""
    return " ".join(Path(word).name if "/" in word else word for word in command.split())


def git_revision() -> str:
    """The revision that trained, "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def refuse_given(arguments: argparse.Namespace, names: Iterable[str]) -> None:
    """A resumed run goes on as it began.

    Raises:
        UsageError: an option is given that belongs to a run's beginning.
    """
    for name in names:
        value = getattr(arguments, name, None)
        if value is not None and value is not False:
            flag = FLAGS.get(name, name.replace("_", "-"))
            raise UsageError(f"--{flag} belongs to a run's beginning; --resume goes on as it began")


def read_history(run: Path) -> list[dict[str, float]]:
    """One entry an epoch, oldest first; empty before the first epoch has ended."""
    path = run / "history.csv"
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
