"""The run directory of the small trainings, ``landmarks`` and ``face-hog``.

``settings.json`` (recipe with its kind, data, command, revision), ``history.csv`` with a row an
epoch or round, ``curves.png``, ``metrics.json``, and the task's own weights or arrays.
"""

from __future__ import annotations

import csv
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UsageError
from training.files import write_json
from training.runs import RUNS, git_revision, read_settings

Row = dict[str, float]


def new_run(path: Path | None, kind: str) -> Path:
    """The directory that is named, or one of the time and kind.

    Raises:
        UsageError: it holds a run already, or cannot be made.
    """
    run = path or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}"
    if (run / "settings.json").exists():
        raise UsageError(f"{run}: already holds a run; name another with --run")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{run}: cannot make the run directory: {error.strerror}") from error
    return run


def write_task_settings(
    run: Path, kind: str, recipe: dict[str, Any], data: dict[str, Any], command: str
) -> None:
    """Notes what is being trained, on what, by which revision."""
    settings = {
        "recipe": {"kind": kind, **recipe},
        "data": data,
        "command": command,
        "git_revision": git_revision(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "machine": platform.machine(),
    }
    write_json(run / "settings.json", settings)


def read_task_settings(run: Path, kind: str) -> dict[str, Any]:
    """The settings of a run of this kind.

    Raises:
        UsageError: no run, or of another kind.
    """
    settings = read_settings(run)
    recipe = settings.get("recipe")
    found = recipe.get("kind", "classifier") if isinstance(recipe, dict) else "unknown"
    if found != kind:
        raise UsageError(f"{run}: a run of {found}, not of {kind}")
    return settings


def write_task_history(run: Path, history: Sequence[Row]) -> None:
    """Writes all rows anew; they have the same columns, the first is what they are drawn over."""
    part = run / "history.csv.part"
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    os.replace(part, run / "history.csv")


def plot_task_history(run: Path, history: Sequence[Row]) -> None:
    """Draws each column over the first."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    over, *names = history[0]
    figure, axes = plt.subplots(1, len(names), figsize=(4.5 * len(names), 3.4), squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, name in zip(axes[0], names, strict=True):
        axis.plot([row[over] for row in history], [row[name] for row in history], marker=".")
        axis.set(xlabel=over, title=name.replace("_", " "))
        axis.grid(alpha=0.3)
    figure.savefig(run / "curves.png", dpi=110)
    plt.close(figure)
