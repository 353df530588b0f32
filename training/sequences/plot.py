"""The plot of ``evaluate-sequences``: what was shown against what was named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from device.vocabulary import EXPRESSIONS
from training.reports.plots import save  # chooses how pyplot draws, without a screen
from training.sequences.play import OUTCOMES


def plot_sequences(figures: dict[str, Any], path: Path) -> None:
    """A confusion matrix for each kind of sequence and setting, of all people."""
    rows = [
        (kind, row)
        for kind in ("stills", "warps")
        for row in figures.get(kind, [])
        if row["group"] == "all"
    ]
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        -(-len(rows) // 2),
        2,
        figsize=(9.6, 4.8 * -(-len(rows) // 2)),
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat[len(rows) :]:
        axis.remove()
    for axis, (kind, row) in zip(axes.flat, rows, strict=False):
        confusion = np.array(row["confusion"], float)
        shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (y, x), share in np.ndenumerate(shares):
            if share >= 0.005:
                axis.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=8,
                          color="white" if share > 0.6 else "black")  # fmt: skip
        axis.set_xticks(range(len(OUTCOMES)), OUTCOMES, rotation=60)
        axis.set_yticks(range(len(EXPRESSIONS)), [e.value for e in EXPRESSIONS])
        for y in np.flatnonzero(confusion.sum(axis=1) == 0):
            axis.text(len(OUTCOMES) / 2 - 0.5, y, "not shown", ha="center", va="center", fontsize=8)
        title = (
            f"{kind} of {row['people']} people, rest {row['rest']}: {row['named_right']:.1%} right"
        )
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="named", ylabel="shown")
    save(figure, path)
