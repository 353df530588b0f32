"""``training landmarks``: the small network that finds five points of a face.

It learns from AFW's annotated faces (those whose file name is not held out) and from what
MediaPipe's face landmark network says of FER2013's training pictures, moved to where AFW's
annotators would have set the points. Half of what it sees is a detector's box, half the face
upright as the device shows it once the first answer is there (``device/vision/landmarks.py``).
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.vision.model_card import ModelCard
from device.vision.preprocess import CROP_PX
from device.vision.stage import LandmarkNetwork
from device.vocabulary import BoundingBox, Face
from training.data.fer2013 import Split, read_pictures
from training.data.pictures import is_held_out
from training.landmarks.faces import Sample, mirror, read_afw, render
from training.landmarks.network import build, convert
from training.landmarks.teacher import ask_all, correct, fit_correction, load_teacher
from training.runs import shorten

DATA = Path("data/fer2013.csv")
OUTPUT = Path("device/models/landmarks.tflite")

EPOCH_LOOKS = 8192  # faces rendered and learned in an epoch; no two are alike
ANNOTATED_SHARE = 0.25  # of the looks: 171 faces against 26 000, but of the kind that counts
BATCH = 64
RATE = 4e-3  # falls to a hundredth by a cosine
WARMUP_STEPS = 200
EPOCHS = 60  # 490,000 looks; the error still falls slowly
# of the boxes in measuring: as a detector's differ from the annotated ones
JITTER_SHIFT = 0.05  # of the side, each way
JITTER_SIDE = (0.92, 1.1)


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("landmarks", help="train the network of five face points")
    parser.add_argument("--afw", type=Path, required=True, help="folder with landmarks68.csv")
    parser.add_argument("--data", type=Path, default=DATA, help=f"fer2013.csv, default {DATA}")
    parser.add_argument(
        "--teacher", type=Path, required=True, help="MediaPipe's face_landmark.tflite"
    )
    parser.add_argument("--faces", type=int, help="FER2013 pictures for the teacher; default all")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of {EPOCH_LOOKS} looks")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains, converts, measures on held-out files, writes the model and its card."""
    import keras

    keras.utils.set_random_seed(arguments.seed)
    random = np.random.default_rng(arguments.seed)
    ours = [sample for name, sample in read_afw(arguments.afw) if not is_held_out(name)]
    faces = read_pictures(arguments.data).split(Split.TRAIN).pixels
    taught = learn_from_teacher(faces[: arguments.faces], arguments.teacher, ours)
    print(f"{len(ours)} annotated faces, {len(taught)} of the teacher's", flush=True)
    model = build()
    train(model, ours, taught, arguments.epochs, random)
    content = convert(model)
    metrics = measure(content, arguments.afw)
    print(f"held out: {metrics}")
    write(arguments.output, content, metrics, len(ours), len(taught), command)
    return 0


def learn_from_teacher(
    faces: npt.NDArray[np.uint8], path: Path, annotated: Sequence[Sample]
) -> list[Sample]:
    """(N, 48, 48) pictures with points where the teacher is sure, in the annotation's manner.

    Each one comes with its mirror image, mirrored before the annotation's manner is applied: a
    manner that leans to one side leans to the same side there.
    """
    ask = load_teacher(path)
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
) -> None:
    """Fits the network to mean distances; every epoch renders its faces anew."""
    import keras

    steps = epochs * EPOCH_LOOKS // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - WARMUP_STEPS), alpha=0.01, warmup_target=RATE, warmup_steps=WARMUP_STEPS
    )
    model.compile(keras.optimizers.Adam(rate), loss=mean_distance)
    start = time.monotonic()
    for epoch in range(1, epochs + 1):
        groups = [
            ours if share < ANNOTATED_SHARE else taught for share in random.random(EPOCH_LOOKS)
        ]
        pairs = [render(group[random.integers(len(group))], random) for group in groups]
        crops = np.stack([crop for crop, _ in pairs])[..., None]
        points = np.stack([five.ravel() for _, five in pairs])
        history = model.fit(crops, points, batch_size=BATCH, verbose=0, shuffle=False)
        print(f"epoch {epoch}/{epochs}: error {history.history['loss'][0]:.4f} of the crop, "
              f"{time.monotonic() - start:.0f} s", flush=True)  # fmt: skip


def mean_distance(truth: Any, answer: Any) -> Any:
    """Of the five points, in shares of the crop: what the network is judged by."""
    import keras

    gaps = keras.ops.reshape(truth - answer, (-1, 5, 2))
    return keras.ops.mean(keras.ops.sqrt(keras.ops.sum(gaps**2, axis=-1) + 1e-6))


def measure(content: bytes, folder: Path) -> dict[str, Any]:
    """Errors on the AFW faces of held-out files, as the device sees them."""
    network = LandmarkNetwork(content)
    errors = relative_errors(network, [s for name, s in read_afw(folder) if is_held_out(name)])
    return {
        "error_of_eye_distance": round(float(errors.mean()), 4),
        "median": round(float(np.median(errors)), 4),
        "above_a_tenth": round(float((errors > 0.1).mean()), 4),
        "faces": len(errors),
        "measured_on": "AFW faces of held-out files, annotated boxes with jitter, "
                       "annotation as published",
    }  # fmt: skip


def relative_errors(network: LandmarkNetwork, samples: list[Sample]) -> npt.NDArray[np.float64]:
    """(n,) mean distance of the five points from the truth, in eye distances of each face.

    The boxes are the annotated ones, shifted and scaled a little as a detector's would be.
    """
    random = np.random.default_rng(0)
    errors = []
    for sample in samples:
        [face] = network.place(sample.picture, [Face(wrong_box(sample, random), 1.0)])
        assert face.landmarks is not None
        distance = np.linalg.norm(sample.points[1] - sample.points[0])
        gaps = np.linalg.norm(face.landmarks - sample.points, axis=1)
        errors.append(gaps.mean() / distance)
    return np.array(errors)


def wrong_box(sample: Sample, random: np.random.Generator) -> BoundingBox:
    """The annotated box, shifted and scaled a little."""
    x, y = np.array(sample.center) + random.uniform(-JITTER_SHIFT, JITTER_SHIFT, 2) * sample.side
    half = sample.side * random.uniform(*JITTER_SIDE) / 2
    return BoundingBox(x - half, y - half, x + half, y + half)


def write(
    path: Path, content: bytes, metrics: dict[str, Any], annotated: int, taught: int, command: str
) -> None:
    """The model and its card."""
    sha256 = hashlib.sha256(content).hexdigest()
    facts = {
        "bytes": len(content),
        "exported_by": f"python -m training {shorten(command)}",
        "metrics": metrics,
        "data": f"{annotated} AFW faces by their annotation, {taught} FER2013 pictures by "
                "MediaPipe's face landmark network (Apache-2.0)",
        "licence": "Apache-2.0 for the file; the pictures are under their owners' terms",
    }  # fmt: skip
    card = ModelCard(
        name="landmarks", version=f"{time.strftime('%Y.%m.%d')}-{sha256[:8]}", task="landmarks",
        sha256=sha256, facts=facts,
    )  # fmt: skip
    path.write_bytes(content)
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    print(f"wrote {path}, {len(content) / 1000:.0f} kB")
