"""The traditional baseline: HOG features and a linear SVM (the paper's Eqs. 1-6).

Window 64×128 (width×height), cells of 8×8 (16×16 and 32×32 can be chosen), blocks of 2×2 cells with
a stride of one cell, nine unsigned bins: with 8×8 3,780 numbers a face (Dalal and Triggs, 2005).
A block's 36 numbers are divided by their L2 norm, as Eqs. 5 and 6 say, then clipped at 0.2 and divided
again (L2-Hys): OpenCV has no plain L2, whatever threshold it is given. A square face fills the window by being stretched, as the paper's
window demands.
"""

from __future__ import annotations

import argparse
import time
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
from training.files import whole, write_json
from training.runs import RUNS

WINDOW = (64, 128)  # width, height
CELL_SIZES, BINS = (8, 16, 32), 9
LOSS_COST = 0.01  # the SVM's C: strong regularization for 3,780 correlated features


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("hog-svm", help="train the traditional baseline")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, help="FER+ votes, for its protocols")
    parser.add_argument("--run", type=Path, dest="run_path", default=RUNS / "hog-svm")
    parser.add_argument("--cost", type=float, default=LOSS_COST, help="the SVM's C")
    parser.add_argument("--cell", type=int, choices=CELL_SIZES, default=8, help="px")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Computes the features, fits seven one-against-rest SVMs, measures them on validation."""
    pictures, _ = clean(read_pictures(arguments.data, default_votes(arguments)))
    train = pictures.split(Split.TRAIN)
    if len(train) == 0:
        raise UsageError(f"{arguments.data}: no pictures left to train on")
    started_s = time.monotonic()
    print(f"HOG of {len(train)} pictures", flush=True)
    weights = fit(describe(train.pixels, arguments.cell), train.labels, arguments.cost)
    seconds = time.monotonic() - started_s
    arguments.run_path.mkdir(parents=True, exist_ok=True)
    with whole(arguments.run_path / "hog-svm.npz") as part:
        np.savez(part, weights=weights, cell_px=arguments.cell)
    results = {}
    validation = pictures.split(Split.VALIDATION)
    logits = HogSvm(weights, arguments.cell).logits(validation.pixels)
    for protocol in protocols_for(validation):
        truth = truth_of(validation, protocol)
        results[protocol] = scores(logits[truth.chosen], truth.labels)
        print(f"validation {protocol}: {results[protocol]['accuracy']:.2%}", flush=True)
    facts = {"cost": arguments.cost, "cell_px": arguments.cell,
             "seconds": round(seconds), "validation": results}  # fmt: skip
    write_json(arguments.run_path / "metrics.json", facts)
    print(f"{arguments.run_path}: trained in {seconds:.0f} s")
    return 0


def describe(pixels: npt.NDArray[np.uint8], cell_px: int = 8) -> npt.NDArray[np.float32]:
    """(n, features) HOG of (n, 48, 48) pictures; 3,780 numbers with cells of 8 px."""
    block = (2 * cell_px, 2 * cell_px)
    cell = (cell_px, cell_px)
    hog = cv2.HOGDescriptor(WINDOW, block, cell, cell, BINS)
    resized = (cv2.resize(picture, WINDOW) for picture in pixels)
    return np.stack([np.asarray(hog.compute(picture), np.float32).ravel() for picture in resized])


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


class HogSvm:
    """The trained baseline, with the same face as the networks."""

    def __init__(self, weights: npt.NDArray[np.float32], cell_px: int = 8) -> None:
        self.weights, self._cell_px = weights, cell_px

    @classmethod
    def load(cls, path: Path) -> HogSvm:
        """Reads ``hog-svm.npz``."""
        try:
            with np.load(path) as arrays:
                return cls(arrays["weights"], int(arrays["cell_px"]))
        except (OSError, KeyError, ValueError) as error:
            raise UsageError(f"{path}: no trained HOG baseline ({error})") from error

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(n, 7) distances to the seven planes."""
        features = describe(pixels, self._cell_px)
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
