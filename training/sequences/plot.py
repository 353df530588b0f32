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
        1, len(rows), figsize=(4.6 * len(rows), 5.0), squeeze=False, layout="constrained"
    )
    for axis, (kind, row) in zip(axes[0], rows, strict=True):
        confusion = np.array(row["confusion"], float)
        shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (y, x), share in np.ndenumerate(shares):
            if share >= 0.005:
                axis.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=7,
                          color="white" if share > 0.6 else "black")  # fmt: skip
        axis.set_xticks(range(len(OUTCOMES)), OUTCOMES, rotation=60)
        axis.set_yticks(range(len(EXPRESSIONS)), [e.value for e in EXPRESSIONS])
        axis.set(title=f"{kind}, rest {row['rest']}: {row['named_right']:.1%}", xlabel="named")
    axes[0][0].set_ylabel("shown")
    save(figure, path)
