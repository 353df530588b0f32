"""The pictures of a run and of the report, without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from device.vocabulary import EXPRESSIONS
from training.classifier.metrics import Logits, reliability, softmax
from training.data.augmentation import Augmentation, augment

HEAD_COLOURS = {"fer2013": "tab:blue", "crowd": "tab:orange"}
HEAD_LABELS = {"fer2013": "FER2013", "crowd": "FER+"}
NAMES = [expression.value for expression in EXPRESSIONS]


def plot_curves(history: list[dict[str, float]], path: Path) -> None:
    """Loss and accuracy of training and validation over the epochs (the paper's Figure 9)."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, is_loss in zip(axes, (True, False), strict=True):
        for key in dict.fromkeys(key for row in history for key in row):
            split, _, head = key.removesuffix("_loss").partition("_")
            if split not in ("training", "validation") or key.endswith("_loss") != is_loss:
                continue
            scale = 1 if is_loss else 100
            points = [(row["epoch"], scale * row[key]) for row in history if key in row]
            axis.plot(*zip(*points, strict=True), label=f"{HEAD_LABELS.get(head, head)}, {split}",
                      color=HEAD_COLOURS.get(head), marker="o" if split == "validation" else ".",
                      linestyle="-" if split == "validation" else "--")  # fmt: skip
        axis.set(xlabel="epoch", title="cross-entropy" if is_loss else "accuracy, %")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    save(figure, path)


def plot_rows(history: Sequence[dict[str, float]], path: Path) -> None:
    """Each column over the first, which counts epochs or rounds."""
    over, *names = history[0]
    figure, axes = plt.subplots(1, len(names), figsize=(4.5 * len(names), 3.4), squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, name in zip(axes[0], names, strict=True):
        axis.plot([row[over] for row in history], [row[name] for row in history], marker=".")
        axis.set(xlabel=over, title=name.replace("_", " "))
        axis.grid(alpha=0.3)
    save(figure, path)


def plot_confusion(confusion: list[list[int]], title: str, path: Path) -> None:
    """A confusion matrix; colours by share of the row, numbers are pictures."""
    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axis = plt.subplots(figsize=(5.2, 4.8), layout="constrained")
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(counts)):
        for column in range(len(counts)):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, counts[row, column], ha="center", va="center", color=colour)
    axis.set_xticks(range(len(NAMES)), NAMES, rotation=40, ha="right")
    axis.set_yticks(range(len(NAMES)), NAMES)
    axis.set(xlabel="answered (colour: share of the row)", ylabel="label")
    axis.set_title(title, fontsize=9)
    save(figure, path)


def plot_reliability(logits: Logits, labels: Any, temperature: float, path: Path) -> None:
    """How often answers of a given probability are right, before and after the temperature."""
    figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for label, value in (("as trained", 1.0), (f"temperature {temperature:g}", temperature)):
        counts, mean, accuracy = reliability(softmax(logits, value), labels).T
        filled = counts > 0
        axis.plot(mean[filled], accuracy[filled], marker="o", markersize=4, label=label)
    axis.set(xlabel="probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axis.legend()
    save(figure, path)


def write_augmentation_sheet(pixels: Any, settings: Augmentation, path: Path) -> None:
    """Twelve training pictures in the first row, five variations of each below."""
    random = np.random.default_rng(0)
    rows = [pixels[:12], *(augment(pixels[:12], settings, random) for _ in range(5))]
    sheet = np.vstack([np.hstack(list(row)) for row in rows])
    cv2.imwrite(str(path), sheet)


def save(figure: Any, path: Path) -> None:
    """Writes and forgets the figure."""
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_bars(groups: dict[str, dict[str, float]], path: Path) -> None:
    """Accuracy of each network under each condition, side by side."""
    conditions = list(next(iter(groups.values())))
    width = 0.8 / len(groups)
    figure, axis = plt.subplots(figsize=(10, 4), layout="constrained")
    for place, (name, values) in enumerate(groups.items()):
        at = np.arange(len(conditions)) + (place - (len(groups) - 1) / 2) * width
        heights = [100 * values[condition] for condition in conditions]
        axis.bar(at, heights, width, label=name)
    axis.set_xticks(range(len(conditions)), conditions, rotation=15)
    axis.set(ylabel="accuracy, %", ylim=(0, 100))
    figure.legend(fontsize=8, ncols=3, loc="outside upper center")
    save(figure, path)
