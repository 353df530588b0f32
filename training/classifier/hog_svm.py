"""The traditional baseline: HOG features and a linear SVM (the paper's Eqs. 1-6).

Window 64×128 (width×height), cells of 8×8 (16×16 and 32×32 can be chosen), blocks of 2×2 cells with
a stride of one cell, nine unsigned bins: with 8×8 3,780 numbers a face (Dalal and Triggs, 2005).
A block's 36 numbers are divided by their L2 norm, as Eqs. 5 and 6 say (``--norm l2``), or clipped at
0.2 and divided again as well (``l2-hys``, the default: OpenCV's, which has no plain L2, whatever
threshold it is given). A square face fills the window by being stretched, as the paper's window demands.
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.classifier.metrics import protocols_for, scores, truth_of
from training.classifier.train import DATA, default_votes
from training.data.cleaning import clean
from training.data.fer2013 import NUM_CLASSES, Split, read_pictures
from training.data.splits import require_split
from training.files import reason, require_folder, whole, write_json
from training.runs import RUNS

WINDOW = (64, 128)  # width, height
CELL_SIZES, BINS = (8, 16, 32), 9
NORMS = ("l2-hys", "l2")
METRICS = "metrics.json"
MIN_CLASSES = 3  # of two, scikit-learn makes one plane
LOSS_COST = 0.01  # the SVM's C: strong regularization for 3,780 correlated features


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("hog-svm", help="train the traditional baseline")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, help="FER+ votes, for its protocols")
    parser.add_argument("--run", type=Path, dest="run_path", default=RUNS / "hog-svm")
    parser.add_argument("--cost", type=float, default=LOSS_COST, help="the SVM's C")
    parser.add_argument("--cell", type=int, choices=CELL_SIZES, default=8, help="px")
    parser.add_argument("--norm", choices=NORMS, default=NORMS[0], help="of a block's numbers")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Computes the features, fits seven one-against-rest SVMs, measures them on validation."""
    require_folder(arguments.run_path)
    pictures, _ = clean(read_pictures(arguments.data, default_votes(arguments)))
    train, validation = (
        require_split(pictures, split, arguments.data) for split in (Split.TRAIN, Split.VALIDATION)
    )
    if len(np.unique(train.labels)) < MIN_CLASSES:
        raise UsageError(f"{arguments.data}: the training pictures show too few expressions")
    started_s = time.monotonic()
    print(f"HOG of {len(train)} pictures", flush=True)
    features = describe(train.pixels, arguments.cell, arguments.norm)
    weights = fit(features, train.labels, arguments.cost)
    seconds = time.monotonic() - started_s
    with whole(arguments.run_path / "hog-svm.npz") as part:
        np.savez(part, weights=weights, cell_px=arguments.cell, norm=arguments.norm)
    results = {}
    logits = HogSvm(weights, arguments.cell, arguments.norm).logits(validation.pixels)
    for protocol in protocols_for(validation):
        truth = truth_of(validation, protocol)
        results[protocol] = scores(logits[truth.chosen], truth.labels)
        print(f"validation {protocol}: {results[protocol]['accuracy']:.2%}", flush=True)
    facts = {"cost": arguments.cost, "cell_px": arguments.cell, "norm": arguments.norm,
             "seconds": round(seconds), "validation": results}  # fmt: skip
    write_json(arguments.run_path / METRICS, facts)
    print(f"{arguments.run_path}: trained in {seconds:.0f} s")
    return 0


def describe(
    pixels: npt.NDArray[np.uint8], cell_px: int = 8, norm: str = NORMS[0]
) -> npt.NDArray[np.float32]:
    """(n, features) HOG of (n, 48, 48) pictures; 3,780 numbers with cells of 8 px."""
    if norm == "l2":
        return np.stack([plain_hog(cv2.resize(picture, WINDOW), cell_px) for picture in pixels])
    block = (2 * cell_px, 2 * cell_px)
    cell = (cell_px, cell_px)
    hog = cv2.HOGDescriptor(WINDOW, block, cell, cell, BINS)
    resized = (cv2.resize(picture, WINDOW) for picture in pixels)
    return np.stack([np.asarray(hog.compute(picture), np.float32).ravel() for picture in resized])


def plain_hog(window: npt.NDArray[np.uint8], cell_px: int) -> npt.NDArray[np.float32]:
    """HOG of one (128, 64) picture by the paper's Eqs. 1 to 6 alone.

    Central differences, magnitude and unsigned orientation; each pixel's magnitude is shared between
    the two nearest of nine bins, summed in its cell; each block's 36 numbers are divided by their
    L2 norm.
    """
    picture = window.astype(np.float32)
    down, right = (np.gradient(picture, axis=axis) for axis in (0, 1))
    place = np.rad2deg(np.arctan2(down, right)) % 180 / (180 / BINS) - 0.5
    first = np.floor(place)
    magnitude, second_share = np.hypot(down, right), place - first
    rows, columns = (length // cell_px for length in window.shape)
    cells = np.zeros((rows, columns, BINS), np.float32)
    row, column = (axis // cell_px for axis in np.indices(window.shape))
    for bins, share in ((first, 1 - second_share), (first + 1, second_share)):
        np.add.at(cells, (row, column, bins.astype(int) % BINS), magnitude * share)
    blocks = np.stack(
        [cells[y : rows - 1 + y, x : columns - 1 + x] for y in (0, 1) for x in (0, 1)], axis=2
    ).reshape(rows - 1, columns - 1, -1)
    lengths = np.linalg.norm(blocks, axis=2, keepdims=True)
    return np.asarray(blocks / np.maximum(lengths, 1e-3), np.float32).ravel()


def feature_shape(cell_px: int) -> tuple[int, int]:
    """Columns and rows of blocks in the window."""
    return WINDOW[0] // cell_px - 1, WINDOW[1] // cell_px - 1


def fit(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], cost: float
) -> npt.NDArray[np.float32]:
    """(3781, 7) weights, the bias last, of one SVM for each expression."""
    from sklearn.svm import LinearSVC  # only this command needs it

    machine = LinearSVC(C=cost, dual=False, tol=1e-3, random_state=0)
    machine.fit(features, labels)
    weights = np.full((features.shape[1] + 1, NUM_CLASSES), -1e3, np.float32)
    weights[:, machine.classes_] = np.vstack([machine.coef_.T, machine.intercept_])
    return weights


def read_metrics(run: Path) -> dict[str, Any] | None:
    """What ``hog-svm`` measured in a run directory; None for a run of another kind."""
    try:
        measured: dict[str, Any] = json.loads((run / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return measured if isinstance(measured, dict) and "cell_px" in measured else None


class HogSvm:
    """The trained baseline, with the same face as the networks."""

    def __init__(
        self, weights: npt.NDArray[np.float32], cell_px: int = 8, norm: str = NORMS[0]
    ) -> None:
        self.weights, self._cell_px, self._norm = weights, cell_px, norm

    @classmethod
    def load(cls, path: Path) -> HogSvm:
        """Reads ``hog-svm.npz``."""
        try:
            with np.load(path) as arrays:
                norm = str(arrays["norm"]) if "norm" in arrays else NORMS[0]
                return cls(arrays["weights"], int(arrays["cell_px"]), norm)
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path}: no trained HOG baseline ({reason(error)})") from error

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(n, 7) distances to the seven planes."""
        features = describe(pixels, self._cell_px, self._norm)
        return np.asarray(features @ self.weights[:-1] + self.weights[-1], np.float32)

    def latency_ms(self, repeats: int = 50) -> float:
        """Median wall time of one face in ms."""
        crop = np.random.default_rng(0).integers(0, 256, (1, 48, 48), np.uint8)
        times = []
        for _ in range(repeats):
            started_s = time.perf_counter()
            self.logits(crop)
            times.append(time.perf_counter() - started_s)
        return float(np.median(times) * 1000)
