"""``training face-check``: the second stage that Haar's and HOG's boxes pass on the device.

Faces come from AFW (files not held out), FER2013's training split and, if given, a zip of face
pictures. What is no face comes from what lax detectors find in pictures without faces and in the
parts of AFW's pictures that show none (clothes, hair, hands), from boxes around parts of faces, and
from drawings laid on such pieces. What the model takes for faces is learned more often. The threshold is
chosen on files that were neither learned nor held out for ``training evaluate-detector``.

It leaves a run directory; ``python -m export face-check RUN`` makes of it what the device runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.data.fer2013 import Split, read_pictures
from training.data.splits import require_split
from training.face_check.network import build
from training.face_check.prints import make_prints
from training.face_check.samples import (
    Samples,
    gather,
    look,
    of_pictures,
    read_zip,
    stacked,
    straight,
)
from training.files import reason, whole, write_json
from training.runs import Row, new_run, read_settings, write_history, write_settings

KIND = "face-check"
DATA = Path("data/fer2013.csv")
WEIGHTS = "face-check.weights.h5"
SAMPLES = "choosing.npz"  # crops for the export's gate

EPOCH_LOOKS = 8192
EPOCHS = 40
BATCH = 64
RATE = 4e-3  # falls to a hundredth by a cosine
LATER_RATE = 2e-3  # likewise, from another run's weights
FACES = 10_000  # of FER2013
MORE_FACES = 6000  # of the zip
FER_MARGIN = 0.0  # of its pictures around a box of HOG, which learned them
MORE_MARGIN = 0.2  # of lfw_more's pictures around a box of Haar
AFW_SHARE = 0.35  # of the faces in an epoch: few, but with all that surrounds a face
PRINTS = 12_000  # drawings on pieces of pictures without faces
PRINT_SHARE = 0.15  # of what is no face in an epoch
HARD_SHARE = 0.4  # of what is no face: from the tenth that the model finds hardest
MAX_LOST = 0.015  # of the choosing files' faces, where the threshold is set


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser(KIND, help="train the second stage of the face detectors")
    parser.add_argument("--afw", type=Path, required=True, help="pictures with boxes.csv")
    parser.add_argument("--faceless", type=Path, required=True, help="pictures without faces")
    parser.add_argument("--data", type=Path, default=DATA, help=f"fer2013.csv, default {DATA}")
    parser.add_argument("--more", type=Path, help="zip of pictures that show one face each")
    parser.add_argument("--prints", type=Path, help="folder of drawings: badges, labels, prints")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of {EPOCH_LOOKS} looks")
    parser.add_argument("--start-from", type=Path, metavar="RUN", help="begin with its weights")
    parser.add_argument("--run", type=Path, dest="run_path", help="run directory to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Gathers boxes, trains, chooses the threshold and writes the run directory."""
    import keras

    keras.utils.set_random_seed(arguments.seed)
    random = np.random.default_rng(arguments.seed)
    model, history = (load_network(arguments.start_from) if arguments.start_from else build()), []
    portraits = read_portraits(arguments.data, arguments.more, random)
    run = new_run(arguments.run_path, KIND, resumes=False)
    learned, choosing = gather(arguments.afw, arguments.faceless, random)
    prints = stacked([])
    if arguments.prints:
        prints = make_prints(arguments.prints, learned.others, PRINTS, random)
    print(f"{len(learned.faces)} boxes of faces, {len(portraits)} pictures of faces, "
          f"{len(learned.others)} boxes without", flush=True)  # fmt: skip
    start = arguments.start_from
    recipe = {"kind": KIND, "epochs": arguments.epochs, "seed": arguments.seed,
              "start_from": start.name if start else ""}  # fmt: skip
    data = {"afw": str(arguments.afw), "path": str(arguments.data), "boxes": len(learned.faces),
            "faceless": str(arguments.faceless), "portraits": len(portraits),
            "others": len(learned.others), "prints": len(prints),
            "more": arguments.more.name if arguments.more else None}  # fmt: skip
    write_settings(run, recipe, data, command)
    rate = LATER_RATE if start else RATE
    for row in train(model, Drawn(learned, portraits, prints), arguments.epochs, random, rate):
        history.append(row)
        write_history(run, history)
        print("  ".join(f"{key} {value:g}" for key, value in row.items()), flush=True)
    finish(run, model, history, choosing)
    print(f"next: python -m export {KIND} {run}")
    return 0


def read_portraits(
    data: Path, more: Path | None, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """(n, 80, 80) of pictures that show nothing but a face."""
    faces = require_split(read_pictures(data), Split.TRAIN, data).pixels
    chosen = faces[random.permutation(len(faces))[:FACES]]
    portraits = of_pictures(list(chosen), FER_MARGIN)
    if more is None:
        return portraits
    return np.concatenate([portraits, of_pictures(read_zip(more, MORE_FACES), MORE_MARGIN)])


class Drawn:
    """What the looks of an epoch are drawn from."""

    def __init__(
        self, learned: Samples, portraits: npt.NDArray[np.uint8], prints: npt.NDArray[np.uint8]
    ) -> None:
        """Takes (n, 80, 80) uint8 of each; ``portraits`` and ``prints`` may be empty."""
        self._learned, self._portraits, self._prints = learned, portraits, prints
        self._crops = straight(learned.others)
        self._hard = np.arange(len(learned.others))

    def mine(self, model: Any) -> None:
        """From now on the tenth that the model rather takes for faces is drawn more often."""
        order = np.argsort(-predict(model, self._crops))
        self._hard = order[: max(1, len(order) // 10)]

    def face(self, random: np.random.Generator) -> npt.NDArray[np.uint8]:
        """(80, 80) uint8."""
        of_boxes = not len(self._portraits) or random.random() < AFW_SHARE
        group = self._learned.faces if of_boxes else self._portraits
        return np.asarray(group[random.integers(len(group))], np.uint8)

    def other(self, random: np.random.Generator) -> npt.NDArray[np.uint8]:
        """(80, 80) uint8 of something that is no face."""
        if len(self._prints) and random.random() < PRINT_SHARE:
            return np.asarray(self._prints[random.integers(len(self._prints))], np.uint8)
        if random.random() < HARD_SHARE:
            return np.asarray(self._learned.others[random.choice(self._hard)], np.uint8)
        return np.asarray(self._learned.others[random.integers(len(self._crops))], np.uint8)


def train(
    model: Any, drawn: Drawn, epochs: int, random: np.random.Generator, peak: float = RATE
) -> Iterator[Row]:
    """Fits the model, faces and others equally often; every epoch renders its looks anew."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(peak, epochs * EPOCH_LOOKS // BATCH, alpha=0.01)
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.02)
    model.compile(keras.optimizers.Adam(rate), loss=loss)
    for epoch in range(1, epochs + 1):
        started_s = time.monotonic()
        if epoch > 2:
            drawn.mine(model)
        labels = random.random(EPOCH_LOOKS) < 0.5
        crops = np.stack(
            [look((drawn.face if face else drawn.other)(random), random) for face in labels]
        )
        truth = labels.astype(np.float32)[:, None]
        fitted = model.fit(crops[..., None], truth, batch_size=BATCH, verbose=0, shuffle=False)
        value = round(float(fitted.history["loss"][0]), 5)
        yield {"epoch": epoch, "loss": value, "seconds": round(time.monotonic() - started_s, 1)}


def finish(run: Path, model: Any, history: list[Row], choosing: Samples) -> None:
    """Writes plot, metrics with the threshold, and the weights, whole or not at all."""
    from training.reports.plots import plot_rows

    plot_rows(history, run / "curves.png")
    faces, others = straight(choosing.faces), straight(choosing.others)
    with whole(run / SAMPLES) as part:
        np.savez_compressed(part, faces=faces, others=others)
    threshold = choose_threshold(predict(model, faces))
    metrics = {
        "threshold": round(threshold, 4),
        "faces_kept": share_above(predict(model, faces), threshold),
        "others_kept": share_above(predict(model, others), threshold),
        "faces": len(faces),
        "others": len(others),
        "measured_on": "the boxes of lax detectors in the files that choose the threshold",
    }
    write_json(run / "metrics.json", metrics)
    print(f"choosing files: {metrics}", flush=True)
    with whole(run / WEIGHTS) as part:
        model.save_weights(part)


def choose_threshold(logits: npt.NDArray[np.float32]) -> float:
    """The logit below which few of the faces lie; 0 without faces."""
    return float(np.quantile(logits, MAX_LOST)) if len(logits) else 0.0


def share_above(logits: npt.NDArray[np.float32], threshold: float) -> float:
    """Share of the logits above a threshold."""
    return round(float((logits > threshold).mean()), 4) if len(logits) else 0.0


def predict(model: Any, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(n,) logits for (n, 48, 48) crops."""
    parts = [
        np.asarray(model(crops[at : at + 256, ..., None].astype(np.float32), training=False))
        for at in range(0, len(crops), 256)
    ]
    return np.concatenate(parts)[:, 0] if parts else np.empty(0, np.float32)


def load_network(run: Path) -> Any:
    """The model of a finished run.

    Raises:
        UsageError: no such run, or it has no weights yet.
    """
    read_settings(run, KIND)
    model = build()
    try:
        model.load_weights(run / WEIGHTS)
    except (OSError, ValueError) as error:
        raise UsageError(f"{run}: no usable weights yet ({reason(error)})") from error
    return model
