"""``training landmarks``: the small network that finds five points of a face.

It learns from AFW's annotated faces (those whose file name is not held out) and from what
MediaPipe's face landmark network says of FER2013's pictures. Every epoch sees the faces
tilted, shifted and scaled anew, as detectors' boxes are never the same.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.vision.landmarks import LANDMARK_MARGIN, NUM_OUTPUTS
from device.vision.model_card import ModelCard
from device.vision.preprocess import CROP_PX
from training.fer2013 import Split, read_pictures
from training.pictures import is_held_out, read_grey
from training.runs import shorten

DATA = Path("data/fer2013.csv")
OUTPUT = Path("device/models/landmarks.tflite")
MIRRORED = (1, 0, 2, 4, 3)  # the left eye of a mirrored face was its right eye
CONTOURS = ((36, 42), (42, 48), (30, 31), (48, 49), (54, 55))  # of 68 points: eyes, nose, mouth
TEACHER_SIDE_PX = 192
TEACHER_POINTS = ((33, 133), (362, 263), (1,), (61,), (291,))  # of MediaPipe's 468
TEACHER_MARGIN = 0.5  # it wants half a face of surroundings
TEACHER_SURE = 2.0  # logit that it sees a face

FIRST_RATE = 3e-3
LAST_RATE = 5e-4
ANNOTATED_REPEATS = 20
MAP_CELLS = CROP_PX // 4  # a side

Points = npt.NDArray[np.float32]  # (5, 2) px, in the order of the vocabulary's landmarks


@dataclass(frozen=True)
class Sample:
    """A face to learn: grey picture, its points, and the square a detector would give."""

    picture: npt.NDArray[np.uint8]
    points: Points
    center: tuple[float, float]
    side: float


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("landmarks", help="train the network of five face points")
    parser.add_argument("--afw", type=Path, required=True, help="folder with landmarks68.csv")
    parser.add_argument("--data", type=Path, default=DATA, help=f"fer2013.csv, default {DATA}")
    parser.add_argument(
        "--teacher", type=Path, required=True, help="MediaPipe's face_landmark.tflite"
    )
    parser.add_argument("--faces", type=int, default=8000, help="FER2013 pictures for the teacher")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains, converts, measures on held-out files, writes the model and its card."""
    random = np.random.default_rng(arguments.seed)
    annotated = read_afw(arguments.afw)
    ours = [sample for name, sample in annotated if not is_held_out(name)]
    held_out = [sample for name, sample in annotated if is_held_out(name)]
    faces = read_pictures(arguments.data).split(Split.TRAIN).pixels
    taught = ask_teacher(
        faces[random.permutation(len(faces))[: arguments.faces]], arguments.teacher
    )
    print(f"{len(ours)} annotated faces, {len(taught)} of the teacher's", flush=True)
    # Annotated faces are few and better: they make up about a third of what is seen.
    repeats = max(1, len(taught) // (2 * max(1, len(ours))))
    model = build()
    train(model, ours * repeats + taught, arguments.epochs, FIRST_RATE, random)
    # The teacher's points lie a little beside those of the annotation: the last word is its.
    train(model, ours * ANNOTATED_REPEATS, max(1, arguments.epochs // 4), LAST_RATE, random)
    content = convert(model)
    errors = relative_errors(content, held_out, np.random.default_rng(0))
    print(f"held out: {len(held_out)} faces, mean error {errors.mean():.2%} of the eye distance")
    write(arguments.output, content, errors, len(ours), len(taught), command)
    return 0


def read_afw(folder: Path) -> list[tuple[str, Sample]]:
    """(file name, sample) of every annotated face, cut out with surroundings."""
    samples = []
    with open(folder / "boxes.csv", newline="") as boxes, open(folder / "landmarks68.csv") as marks:
        pictures: dict[str, npt.NDArray[np.uint8]] = {}
        for row, line in zip(csv.DictReader(boxes), marks, strict=True):
            name = row["file"]
            if name not in pictures:
                pictures[name] = read_grey(folder / name)
            points = five_of_68(np.array(line.split(","), np.float32).reshape(68, 2))
            x, y, width, height = (float(row[k]) for k in ("x", "y", "w", "h"))
            side = max(width, height)
            center = (x + width / 2, y + height / 2)
            samples.append((Path(name).name, cut_out(Sample(pictures[name], points, center, side))))
    return samples


def five_of_68(points: npt.NDArray[np.float32]) -> Points:
    """(5, 2) of the 68 points of the 300-W scheme."""
    return np.stack([points[first:end].mean(axis=0) for first, end in CONTOURS])


def cut_out(sample: Sample) -> Sample:
    """The same face in a picture of at most 128 px with a face's width around it."""
    scale = min(1.0, 64 / sample.side)
    half = sample.side
    corner = np.array([sample.center[0] - half, sample.center[1] - half], np.float32)
    size = max(1, round(2 * half * scale))
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    picture = cv2.warpAffine(
        cv2.GaussianBlur(sample.picture, (0, 0), 0.5 / scale) if scale < 0.7 else sample.picture,
        matrix, (size, size), borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    points = (sample.points - corner) * scale
    return Sample(np.asarray(picture, np.uint8), points, (size / 2, size / 2), sample.side * scale)


def ask_teacher(faces: npt.NDArray[np.uint8], path: Path) -> list[Sample]:
    """Points of (N, 48, 48) pictures as MediaPipe's network sees them, where it is sure."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    mesh, presence = (detail["index"] for detail in interpreter.get_output_details())
    border = round(CROP_PX * TEACHER_MARGIN / 2)
    side = CROP_PX + 2 * border
    samples = []
    for face in faces:
        wide = cv2.copyMakeBorder(face, *(border,) * 4, cv2.BORDER_REPLICATE)
        large = cv2.resize(wide, (TEACHER_SIDE_PX,) * 2, interpolation=cv2.INTER_CUBIC)
        pixels = np.repeat(large[None, :, :, None].astype(np.float32) / 255, 3, axis=3)
        interpreter.set_tensor(source, pixels)
        interpreter.invoke()
        if interpreter.get_tensor(presence).item() < TEACHER_SURE:
            continue
        points = interpreter.get_tensor(mesh).reshape(468, 3)[:, :2] * side / TEACHER_SIDE_PX
        five = np.stack([points[list(some)].mean(axis=0) for some in TEACHER_POINTS]) - border
        samples.append(Sample(face, five, (CROP_PX / 2, CROP_PX / 2), CROP_PX))
    return samples


def render(
    sample: Sample, random: np.random.Generator, strength: float = 1.0
) -> tuple[npt.NDArray[np.uint8], Points]:
    """One (48, 48) crop as a detector would give it, and its points as shares of the crop."""
    side = sample.side * (1 + LANDMARK_MARGIN) * np.exp(random.uniform(-0.15, 0.2) * strength)
    shift = random.uniform(-0.08, 0.08, 2) * strength * sample.side
    angle = random.normal(0, 12) * strength
    scale = CROP_PX / side
    matrix = cv2.getRotationMatrix2D(sample.center, angle, scale)
    matrix[:, 2] += CROP_PX / 2 - np.array(sample.center) + shift * scale
    picture = sample.picture
    if scale < 0.6:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.45 / scale), np.uint8)
    crop = cv2.warpAffine(picture, matrix, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    points = (sample.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) / CROP_PX
    if strength and random.random() < 0.5:
        crop = crop[:, ::-1]
        points = np.stack([1 - points[:, 0], points[:, 1]], axis=1)[list(MIRRORED)]
    if strength:
        light = crop.astype(np.float32) * random.uniform(0.6, 1.3) + random.uniform(-30, 30)
        crop = np.clip(light + random.normal(0, random.uniform(0, 6), crop.shape), 0, 255)
    return np.asarray(crop, np.uint8), np.asarray(points, np.float32)


def build() -> Any:
    """Where each point is, as a map of 12×12 whose centre of mass is the answer: 46 k weights.

    A map learns from far fewer steps than a dense layer on flattened features: the same
    weights look everywhere.
    """
    import keras

    pixels = keras.Input((CROP_PX, CROP_PX, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    for width, strides, dilation in ((16, 2, 1), (32, 2, 1), (40, 1, 1), (40, 1, 2), (40, 1, 3)):
        x = keras.layers.Conv2D(
            width, 3, strides=strides, dilation_rate=dilation, padding="same", use_bias=False
        )(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    maps = keras.layers.Conv2D(NUM_OUTPUTS // 2, 1)(x)
    shares = keras.layers.Softmax(axis=1)(keras.layers.Reshape((MAP_CELLS**2, 5))(maps))
    shares = keras.layers.Permute((2, 1))(shares)
    middle = (np.arange(MAP_CELLS) + 0.5) / MAP_CELLS
    grid = np.stack([np.tile(middle, MAP_CELLS), np.repeat(middle, MAP_CELLS)], axis=1)
    center_of_mass = keras.layers.Dense(2, use_bias=False, trainable=False)
    points = center_of_mass(shares)
    center_of_mass.set_weights([grid.astype(np.float32)])
    return keras.Model(pixels, keras.layers.Reshape((NUM_OUTPUTS,))(points))


def train(
    model: Any, samples: list[Sample], epochs: int, rate: float, random: np.random.Generator
) -> None:
    """Fits the network; every epoch renders all samples anew."""
    import keras

    steps = epochs * (len(samples) // 64 + 1)
    decay = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(decay), loss="mae")
    for epoch in range(1, epochs + 1):
        start = time.monotonic()
        pairs = [render(sample, random) for sample in samples]
        crops = np.stack([crop for crop, _ in pairs])[..., None]
        points = np.stack([five.ravel() for _, five in pairs])
        history = model.fit(crops, points, batch_size=64, verbose=0, shuffle=True)
        loss = history.history["loss"][0]
        print(f"epoch {epoch}/{epochs}: error {loss:.4f} of the crop, "
              f"{time.monotonic() - start:.0f} s", flush=True)  # fmt: skip


def convert(model: Any) -> bytes:
    """TFLite with uint8 pixels in, float16 weights and real numbers out."""
    import keras
    import tensorflow as tf

    pixels = keras.Input((CROP_PX, CROP_PX, 1), dtype="uint8")
    whole = keras.Model(pixels, model(keras.ops.cast(pixels, "float32")))
    converter = tf.lite.TFLiteConverter.from_keras_model(whole)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def relative_errors(
    content: bytes, samples: list[Sample], random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """(n,) mean distance of the five points from the truth, in eye distances of each face.

    The boxes are the annotated ones, shifted and scaled a little as a detector's would be.
    """
    from device.vision.network import CropNetwork

    network = CropNetwork(content, NUM_OUTPUTS)
    errors = []
    for sample in samples:
        crop, truth = render_box(sample, random)
        found = network.run(crop[None])[0].reshape(5, 2)
        distance = np.linalg.norm(truth[1] - truth[0])
        errors.append(np.linalg.norm(found - truth, axis=1).mean() / distance)
    return np.array(errors)


def render_box(sample: Sample, random: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Points]:
    """A crop of a slightly wrong box, without the rest of the augmentation."""
    x, y = np.array(sample.center) + random.uniform(-0.05, 0.05, 2) * sample.side
    side = sample.side * random.uniform(0.92, 1.1)
    return render(Sample(sample.picture, sample.points, (float(x), float(y)), side), random, 0.0)


def write(
    path: Path, content: bytes, errors: npt.NDArray[np.float64], annotated: int, taught: int,
    command: str,
) -> None:  # fmt: skip
    """The model and its card."""
    sha256 = hashlib.sha256(content).hexdigest()
    facts = defaultdict(dict, {
        "bytes": len(content),
        "exported_by": f"python -m training {shorten(command)}",
        "metrics": {
            "error_of_eye_distance": round(float(errors.mean()), 4),
            "median": round(float(np.median(errors)), 4),
            "faces": len(errors),
            "measured_on": "AFW faces of held-out files, annotated boxes with jitter",
        },
        "data": f"{annotated} AFW faces by their annotation, {taught} FER2013 pictures by "
                "MediaPipe's face landmark network (Apache-2.0)",
        "licence": "Apache-2.0 for the file; the pictures are under their owners' terms",
    })  # fmt: skip
    card = ModelCard(
        name="landmarks", version=f"{time.strftime('%Y.%m.%d')}-{sha256[:8]}", task="landmarks",
        sha256=sha256, facts=dict(facts),
    )  # fmt: skip
    path.write_bytes(content)
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    print(f"wrote {path}, {len(content) / 1024:.0f} KB")
