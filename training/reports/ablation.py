"""The ablation in docs/paper.md: a table and a figure of ``docs/paper/ablation.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from training.reports.plots import save
from training.reports.tables import table

NOT_RUN = (
    "Not run yet: `python -m training ablate --data fer2013.csv --votes fer2013new.csv` trains each "
    "variant with two seeds (a night; it goes on where it was interrupted), `--test` at the very "
    "end measures the test split once."
)
SPLITS = {"validation": "PublicTest", "test": "PrivateTest"}
COLUMNS = {  # title: protocol and figure
    "accuracy": ("fer2013", "accuracy"),
    "macro F1": ("fer2013", "macro_f1"),
    "FER+ majority": ("majority", "accuracy"),
}


def ablation_part(numbers: dict[str, Any] | None, picture: Path) -> str:
    """What the page says of it; draws the figure.

    Args:
        numbers: of ``training ablate``, None before it has run.
        picture: to write.
    """
    if numbers is None:
        return NOT_RUN
    draw_ablation(numbers, picture)
    splits = [s for s in SPLITS if any(s in row for row in numbers["variants"])]
    head = ["group", "variant", "options",
            *(f"{SPLITS[s]}, {title}" for s in splits for title in COLUMNS)]  # fmt: skip
    rows = [
        [row["group"] or "–", row["name"], f"`{' '.join(row['options'])}`" if row["options"] else "–",
         *(cell(row.get(split), *column) for split in splits for column in COLUMNS.values())]
        for row in numbers["variants"]
    ]  # fmt: skip
    said = (
        f"{numbers['network']}, {numbers['epochs']} epochs, {numbers['seeds']} seeds each: mean, and "
        "largest less smallest. FER2013 head; every variant differs from `base` in one thing."
    )
    return (
        f"{said}\n\n{table(head, rows)}\n![Accuracy of each variant](paper/{picture.name})\n\n"
        f"`{numbers['command']}`\n"
    )


def cell(measured: dict[str, Any] | None, protocol: str, key: str) -> str:
    """Mean and spread in percent."""
    if measured is None or protocol not in measured:
        return "–"
    value = measured[protocol][key]
    return f"{100 * value['mean']:.1f} ({100 * value['spread']:.1f})"


def draw_ablation(numbers: dict[str, Any], path: Path) -> None:
    """Each seed's accuracy as a dot, the mean as a bar; the line is the base's mean."""
    rows = [row for row in numbers["variants"] if "validation" in row][::-1]
    figure, axis = plt.subplots(figsize=(7, 1 + 0.3 * len(rows)), layout="constrained")
    lowest = 100.0
    for place, row in enumerate(rows):
        value = row["validation"]["fer2013"]["accuracy"]
        axis.barh(place, 100 * value["mean"], color="tab:blue", alpha=0.4)
        axis.plot([100 * v for v in value["seeds"]], [place] * len(value["seeds"]), "k.")
        lowest = min([lowest, *(100 * v for v in value["seeds"])])
        if not row["group"]:
            axis.axvline(100 * value["mean"], color="tab:red", linewidth=1)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.set_xlim(max(0.0, lowest - 5), None)
    axis.set(xlabel="accuracy on PublicTest, %")
    axis.grid(axis="x", alpha=0.3)
    save(figure, path)
