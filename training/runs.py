"""The run directory: everything of one training, written so that it can be repeated.

Every kind of training has ``settings.json`` (recipe, data, command, revision, versions) and
``history.csv`` (a row an epoch or round) there, beside the weights or arrays of its own. A
classifier's run also has ``last.weights.h5`` (weights and optimizer, to resume),
``averaged.weights.h5`` (what is evaluated and exported), ``dropped.csv``, ``augmentation.png``,
``curves.png``, ``confusion-*.png`` and ``metrics-SPLIT.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shlex
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import keras
import numpy as np

from device.errors import UsageError
from training.files import reason, write_json, write_table

RUNS = Path("runs")
SETTINGS = "settings.json"
HISTORY = "history.csv"
KEPT = {"recipe": dict, "data": dict, "command": str, "git_revision": str}  # of the settings
FLAGS = {"run_path": "run", "view_teachers": "view-teacher"}  # options of other names

Row = dict[str, float]


def new_run(path: Path | None, kind: str, folder: Path = RUNS, resumes: bool = True) -> Path:
    """Makes the directory that is named, or one in ``folder`` named by the time and the kind.

    Raises:
        UsageError: it holds a run already, or cannot be made.
    """
    run = path or folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}"
    if has_run(run):
        instead = f"continue it with --resume {run}" if resumes else "name another with --run"
        raise UsageError(f"{run}: already holds a run; {instead}")
    try:
        run.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=run):  # a folder that was there may take no files
            pass
    except OSError as error:
        raise UsageError(f"{run}: cannot make the run directory: {error.strerror}") from error
    return run


def has_run(path: Path) -> bool:
    """True where a training has begun."""
    return (path / SETTINGS).exists()


def newest_run(folder: Path = RUNS) -> Path:
    """The run directory that was written to last.

    Raises:
        UsageError: there is none.
    """
    runs = sorted(folder.glob(f"*/{SETTINGS}"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise UsageError(
            f"{folder}: no runs here yet; train one with python -m training classifier"
        )
    return runs[-1].parent


def write_settings(
    run: Path, recipe: Mapping[str, Any], data: Mapping[str, Any], command: str
) -> None:
    """Notes what is being trained, on what, by which versions.

    Args:
        run: its directory.
        recipe: all that decides how the training comes out; with its ``kind`` unless it is a
            classifier's.
        data: where the pictures lie, and how many they are.
        command: the command line.
    """
    settings = {
        "recipe": dict(recipe),
        "data": dict(data),
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
    write_json(run / SETTINGS, settings)


def read_settings(run: Path, kind: str = "") -> dict[str, Any]:
    """The settings of a run.

    Args:
        run: its directory.
        kind: of training that it must be of, as ``landmarks``; "" for any.

    Raises:
        UsageError: not a run directory, or of another kind.
    """
    try:
        settings: dict[str, Any] = json.loads((run / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = f"{SETTINGS}: {reason(error)}"
        raise UsageError(f"{run}: not a run directory ({why})") from error
    if not isinstance(settings, dict):
        raise UsageError(f"{run}: not a run directory ({SETTINGS} holds no settings)")
    lacking = [key for key, kind in KEPT.items() if not isinstance(settings.get(key), kind)]
    if lacking:
        raise UsageError(f"{run}: not a run directory ({SETTINGS} lacks {', '.join(lacking)})")
    recipe = settings["recipe"]
    found = recipe.get("kind", "classifier")
    if kind and found != kind:
        raise UsageError(f"{run}: a run of {found}, not of {kind}")
    return settings


def trained_on(run: Path) -> tuple[Path, Path | None]:
    """The pictures that a run is trained on, and the FER+ votes; None without votes.

    Raises:
        UsageError: not a run directory, or its settings do not say it.
    """
    data = read_settings(run)["data"]
    path, votes = data.get("path"), data.get("votes")
    if not isinstance(path, str) or not isinstance(votes, str | None):
        raise UsageError(
            f"{run}: its {SETTINGS} does not say which pictures it learns (data, path)"
        )
    return Path(path), Path(votes) if votes else None


def mark_finished(run: Path) -> None:
    """Notes that a run has its last epoch and its measurements."""
    write_json(run / SETTINGS, {**read_settings(run), "finished": True})


def is_finished(run: Path) -> bool:
    """True where nothing of a run is left to do."""
    return bool(read_settings(run).get("finished"))


def write_history(run: Path, history: Sequence[Row]) -> None:
    """Writes all rows anew; a row may lack what others have."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    rows = ([row.get(column, "") for column in columns] for row in history)
    write_table(run / HISTORY, columns, rows)


def read_history(run: Path) -> list[Row]:
    """One entry an epoch or round, oldest first; empty before the first has ended.

    Raises:
        UsageError: the file is damaged.
    """
    path = run / HISTORY
    if not path.exists():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    except (OSError, csv.Error, TypeError, ValueError) as error:
        raise UsageError(f"{path}: not the history of a run: {reason(error)}") from error


def shorten(command: str) -> str:
    """The command with files and folders by their names, as a reader elsewhere would type it."""
    words = []
    for word in shlex.split(command):
        name, equals, path = word.rpartition("=")
        words.append(name + equals + Path(path).name if "/" in path else word)
    return shlex.join(words)


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
