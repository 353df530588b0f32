"""The ablation in docs/paper.md: a table and a figure of ``docs/paper/ablation.json``."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from training.classifier.recipe import recipe_for
from training.reports.plots import save
from training.reports.tables import table

NOT_RUN = (
    "Not run yet: `python -m training ablate --data fer2013.csv --votes fer2013new.csv` trains each "
    "variant with two seeds (a night; it goes on where it was interrupted), `--test` at the very "
    "end measures the test split once."
)
SPLITS = {"validation": "PublicTest", "test": "PrivateTest"}
LABELS = {"fer2013": "FER2013's labels", "majority": "the FER+ majority"}
COLUMNS = {  # title: protocol and figure
    "accuracy": ("fer2013", "accuracy"),
    "macro F1": ("fer2013", "macro_f1"),
    "accuracy by the FER+ majority": ("majority", "accuracy"),
}

RARE = "F1 of disgust, fear"


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
    head = ["group", "variant", "options", "training pictures",
            *(f"{SPLITS[s]}, {title}" for s in splits for title in [*COLUMNS, RARE])]  # fmt: skip
    rows = [
        [row["group"] or "–", row["name"], f"`{shlex.join(row['options'])}`" if row["options"] else "–",
         f"{row['pictures']:,}" if "pictures" in row else "–",
         *(text for split in splits for text in cells(row.get(split)))]
        for row in numbers["variants"]
    ]  # fmt: skip
    return (
        f"{protocol_of(numbers)}\n\n{table(head, rows)}\n![Accuracy of each variant](paper/{picture.name})\n\n"
        f"{commands_of(numbers)}\n"
    )


def commands_of(numbers: dict[str, Any]) -> str:
    """The command that measured last, and what gave the rows that it left out."""
    lines = [f"`python -m training {numbers['command']}`"]
    words = shlex.split(numbers["command"])
    if "--only" in words:
        kept = [
            word
            for place, word in enumerate(words)
            if word != "--only" and words[place - 1 : place] != ["--only"]
        ]
        kept[kept.index("--seeds") + 1] = "1"
        lines.append(
            "measured last. It trained again what it names with `--only`; the rows of one seed are "
            f"of the same command for all variants before: `python -m training {shlex.join(kept)}`."
        )
    return " ".join(lines)


def protocol_of(numbers: dict[str, Any]) -> str:
    """What was trained, how long, and on how many pictures it was measured."""
    measured = [row["validation"]["fer2013"]["accuracy"] for row in numbers["variants"]
                if "validation" in row]  # fmt: skip
    all_seeds = all(len(value["seeds"]) == numbers["seeds"] for value in measured)
    seeds = f"{count(numbers, 'seed')} each" if all_seeds else f"{count(numbers, 'seed')} or one"
    lines = [
        f"`{numbers['network']}` ({numbers['parameters']:,} weights), {count(numbers, 'epoch')}, "
        f"{seeds}. Every variant differs from `base` in one thing, and in what follows from it: an "
        "epoch shows as many pictures as there are, so a variant of more pictures also learns for "
        "more steps. The network is counted with both heads. FER2013 head, in percent: the mean of the "
        "seeds, in brackets largest less smallest."
    ]
    first: dict[str, Any] = next((r for r in numbers["variants"] if "validation" in r), {})
    for split, name in SPLITS.items():
        if found := first.get(split):
            counts = [f"{found[p]['n']:,} by {label}" for p, label in LABELS.items() if p in found]
            accuracy, n = found["fer2013"]["accuracy"]["mean"], found["fer2013"]["n"]
            error = 100 * math.sqrt(accuracy * (1 - accuracy) / n)
            lines.append(
                f"{name}: n = {' and '.join(counts)}; one standard error of an accuracy is "
                f"{error:.1f} points, of the difference of two {math.sqrt(2) * error:.1f}."
            )
    usual = recipe_for(numbers["network"]).epochs
    if numbers["epochs"] < usual:
        lines.append(
            f"The network's own recipe has {usual} epochs: what a variant is worth there may differ."
        )
    return " ".join(lines)


def count(numbers: dict[str, Any], thing: str) -> str:
    """As ``2 seeds``."""
    number = numbers[thing + "s"]
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def cells(measured: dict[str, Any] | None) -> list[str]:
    """What a split's columns say of a variant."""
    rare = [cell(measured, "fer2013", f"{name}_f1").split()[0] for name in ("disgust", "fear")]
    return [*(cell(measured, *column) for column in COLUMNS.values()), ", ".join(rare)]


def cell(measured: dict[str, Any] | None, protocol: str, key: str) -> str:
    """Mean and spread in percent."""
    if measured is None or protocol not in measured:
        return "–"
    value = measured[protocol][key]
    spread = f"{100 * value['spread']:.1f}" if len(value["seeds"]) > 1 else "one seed"
    return f"{100 * value['mean']:.1f} ({spread})"


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
