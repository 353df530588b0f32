"""What of trained runs stands in docs/paper.md: Figure 9 and the HOG baseline's variants.

The runs themselves are large and stay where they are; their figures are kept in ``runs.json`` beside
the page's template.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.hog_svm import read_metrics
from training.files import read_numbers
from training.reports.plots import plot_curves
from training.reports.tables import percent, table
from training.runs import read_history, read_settings, shorten

KEPT = "runs.json"
NETWORKS = {"paper": "five-block CNN", "mini-xception": "mini-Xception"}
NOT_RUN = "Not run yet: {}"


def keep(runs: list[Path], folder: Path) -> dict[str, Any]:
    """What is known of runs so far, and of these.

    Args:
        runs: directories of ``training classifier`` and of ``training hog-svm``.
        folder: that holds ``runs.json``.

    Raises:
        UsageError: a directory is of neither, or its training has not ended.
    """
    path = folder / KEPT
    kept: dict[str, Any] = {"curves": {}, "hog": {}}
    if path.exists():
        kept = read_numbers(path, *kept)
    for run in runs:
        if measured := read_metrics(run):
            kept["hog"][f"{measured['cell_px']} px, {measured['norm']}"] = {
                "cost": measured["cost"],
                "validation": measured["validation"],
            }
            continue
        settings, history = read_settings(run, "classifier"), read_history(run)
        if not settings.get("finished") or not history:
            raise UsageError(f"{run}: the training has not ended: --resume {run}")
        kept["curves"][settings["recipe"]["network"]] = {
            "command": shorten(settings["command"]), "seed": settings["recipe"]["seed"], "history": history,
        }  # fmt: skip
    return kept


def curves_part(curves: dict[str, Any], folder: Path) -> str:
    """Figure 9: a picture for each network, with its command and its last epoch."""
    lines = []
    for name, run in sorted(curves.items()):
        picture = folder / f"figure-9-{name}.png"
        plot_curves(run["history"], picture)
        label, last = NETWORKS.get(name, f"`{name}`"), run["history"][-1]
        best = max(row["validation_fer2013"] for row in run["history"])
        lines.append(
            f"![loss and accuracy of the {label}]({folder.name}/{picture.name})\n\n"
            f"{label}, {last['epoch']:.0f} epochs, seed {run['seed']}: `python -m training {run['command']}`. "
            f"FER2013's labels at the end: {last['training_fer2013']:.1%} on training pictures, "
            f"{last['validation_fer2013']:.1%} on validation (best epoch: {best:.1%}).\n"
        )
    for name, label in NETWORKS.items():
        if name not in curves:
            command = (
                f"`python -m training classifier --network {name}`, then `training paper --run RUN`"
            )
            lines.append(NOT_RUN.format(f"{label}: {command}\n"))
    return "\n".join(lines).replace("%", " %")


def hog_part(variants: dict[str, Any]) -> str:
    """The HOG baseline with other cells and norms, on validation."""
    if not variants:
        return NOT_RUN.format("`python -m training hog-svm --cell PX --norm NORM`")
    rows = [
        [name, *(percent(run["validation"].get(protocol)) for protocol in ("fer2013", "majority"))]
        for name, run in sorted(variants.items(), key=lambda pair: int(pair[0].split()[0]))
    ]
    return table(["cell, norm of a block", "FER2013's labels", "FER+ majority"], rows)
