"""``training landmarks``: the small model that finds five points of a face.

It learns from AFW's annotated faces (those whose file name is not held out) and from what
MediaPipe's face landmark model says of FER2013's training pictures, moved to where AFW's
annotators would have set the points. Half of what it sees is a detector's box, half the face
upright as the device shows it once the first answer is there (``device/vision/landmarks.py``).

It leaves a run directory; ``python -m export landmarks RUN`` makes of it what the device runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import CROP_PX
from training.data.fer2013 import Split, read_pictures
from training.data.pictures import is_held_out
from training.data.splits import require_split
from training.files import reason, whole, write_json
from training.landmarks.faces import Sample, mirror, read_afw, render
from training.landmarks.measure import errors_of_looks, held_out_samples, looks_at
from training.landmarks.network import build
from training.landmarks.teacher import Ask, ask_all, correct, fit_correction, load_teacher
from training.runs import Row, new_run, read_settings, write_history, write_settings

KIND = "landmarks"
DATA = Path("data/fer2013.csv")
WEIGHTS = "landmarks.weights.h5"

EPOCH_LOOKS = 8192  # faces rendered and learned in an epoch; no two are alike
ANNOTATED_SHARE = 0.25  # of the looks: 171 faces against 26 000, but of the kind that counts
BATCH = 64
RATE = 4e-3  # falls to a hundredth by a cosine
WARMUP_STEPS = 200
EPOCHS = 60  # 490,000 looks; the error still falls slowly
MEASURED_LOOKS = 4  # at each held-out face


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser(KIND, help="train the model of five face points")
    parser.add_argument("--afw", type=Path, required=True, help="folder with landmarks68.csv")
    parser.add_argument("--data", type=Path, default=DATA, help=f"fer2013.csv, default {DATA}")
    parser.add_argument(
        "--teacher", type=Path, required=True, help="MediaPipe's face_landmark.tflite"
    )
    parser.add_argument("--faces", type=int, help="FER2013 pictures for the teacher; default all")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of {EPOCH_LOOKS} looks")
    parser.add_argument("--run", type=Path, dest="run_path", help="run directory to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains, measures on held-out files and writes the run directory."""
    import keras

    keras.utils.set_random_seed(arguments.seed)
    random = np.random.default_rng(arguments.seed)
    annotated = read_afw(arguments.afw)
    ours = [sample for name, sample in annotated if not is_held_out(name)]
    if not ours or len(ours) == len(annotated):
        raise UsageError(f"{arguments.afw}: too few files: some teach, others measure")
    pictures = read_pictures(arguments.data)
    faces = require_split(pictures, Split.TRAIN, arguments.data).pixels
    teacher = load_teacher(arguments.teacher)
    run = new_run(arguments.run_path, KIND, resumes=False)
    taught = learn_from_teacher(faces[: arguments.faces], teacher, ours)
    print(f"{len(ours)} annotated faces, {len(taught)} of the teacher's", flush=True)
    recipe = {"kind": KIND, "epochs": arguments.epochs, "seed": arguments.seed, "faces": arguments.faces,
              "teacher": str(arguments.teacher)}  # fmt: skip
    data = {"afw": str(arguments.afw), "path": str(arguments.data),
            "annotated": len(ours), "taught": len(taught)}  # fmt: skip
    write_settings(run, recipe, data, command)
    model = build()
    history: list[Row] = []
    for row in train(model, ours, taught, arguments.epochs, random):
        history.append(row)
        write_history(run, history)
        print("  ".join(f"{key} {value:g}" for key, value in row.items()), flush=True)
    finish(run, model, history, held_out_samples(arguments.afw))
    print(f"next: python -m export {KIND} {run}")
    return 0


def finish(run: Path, model: Any, history: list[Row], held_out: Sequence[Sample]) -> None:
    """Writes weights, plot and metrics; the weights last, whole or not at all."""
    from training.reports.plots import plot_rows

    plot_rows(history, run / "curves.png")
    crops, points = looks_at(held_out, MEASURED_LOOKS)
    errors = errors_of_looks(predict(model, crops), points)
    metrics = {
        "error_of_crop": round(float(errors.mean()), 5),
        "looks": len(errors),
        "faces": len(held_out),
        "measured_on": "AFW faces of held-out files, looks as in training",
    }
    write_json(run / "metrics.json", metrics)
    print(f"held out: {metrics}", flush=True)
    with whole(run / WEIGHTS) as part:
        model.save_weights(part)


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


def predict(model: Any, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(n, 10) shares of the crop for (n, 48, 48) crops."""
    parts = [
        np.asarray(model(crops[at : at + 256, ..., None].astype(np.float32), training=False))
        for at in range(0, len(crops), 256)
    ]
    return np.concatenate(parts)


def learn_from_teacher(
    faces: npt.NDArray[np.uint8], ask: Ask, annotated: Sequence[Sample]
) -> list[Sample]:
    """(N, 48, 48) pictures with points where the teacher is sure, in the annotation's manner.

    Each one comes with its mirror image, mirrored before the annotation's manner is applied: a
    manner that leans to one side leans to the same side there.
    """
    answers = ask_all(ask, annotated)
    pairs = [
        (answer.points, sample.points)
        for answer, sample in zip(answers, annotated, strict=True)
        if answer.sure
    ]
    correction = fit_correction([ours for ours, _ in pairs], [true for _, true in pairs])
    middle = (CROP_PX - 1) / 2
    blank = np.zeros((5, 2), np.float32)
    samples = [Sample(face, blank, (middle, middle), CROP_PX) for face in faces]
    taught = []
    for face, answer in zip(faces, ask_all(ask, samples), strict=True):
        if answer.sure:
            shares = np.asarray((answer.points + 0.5) / CROP_PX, np.float32)
            flipped = np.asarray(mirror(shares) * CROP_PX - 0.5, np.float32)
            for picture, points in ((face, answer.points), (face[:, ::-1].copy(), flipped)):
                points = correct(points, correction)
                taught.append(Sample(picture, points, (middle, middle), CROP_PX))
    return taught


def train(
    model: Any, ours: list[Sample], taught: list[Sample], epochs: int, random: np.random.Generator
) -> Iterator[Row]:
    """Fits the model to mean distances; every epoch renders its faces anew and gives a row."""
    import keras

    steps = epochs * EPOCH_LOOKS // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - WARMUP_STEPS), alpha=0.01, warmup_target=RATE, warmup_steps=WARMUP_STEPS
    )
    model.compile(keras.optimizers.Adam(rate), loss=mean_distance)
    for epoch in range(1, epochs + 1):
        started_s = time.monotonic()
        groups = [
            ours if share < ANNOTATED_SHARE else taught for share in random.random(EPOCH_LOOKS)
        ]
        pairs = [render(group[random.integers(len(group))], random) for group in groups]
        crops = np.stack([crop for crop, _ in pairs])[..., None]
        points = np.stack([five.ravel() for _, five in pairs])
        fitted = model.fit(crops, points, batch_size=BATCH, verbose=0, shuffle=False)
        loss = round(float(fitted.history["loss"][0]), 5)
        yield {"epoch": epoch, "loss": loss, "seconds": round(time.monotonic() - started_s, 1)}


def mean_distance(truth: Any, answer: Any) -> Any:
    """Of the five points, in shares of the crop: what the model is judged by."""
    import keras

    gaps = keras.ops.reshape(truth - answer, (-1, 5, 2))
    return keras.ops.mean(keras.ops.sqrt(keras.ops.sum(gaps**2, axis=-1) + 1e-6))
