"""``training evaluate-crop``: end-to-end accuracy on full pictures, by detector and crop.

Detector, crop and network as on the device, on folders of pictures with a ``labels.csv``
(file, label). A picture in which no face is found counts as wrong. This is the
measurement behind ``MARGIN`` in ``device/vision/preprocess.py``, and behind not turning faces
upright by their landmarks and not looking at any face twice.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import MienError
from device.settings.tree import Classifier as ClassifierSettings
from device.settings.tree import Detector as DetectorSettings
from device.vision.classifier import TFLiteClassifier
from device.vision.detector import build_detector
from device.vision.landmarks import LandmarkNetwork, axes, tilt
from device.vision.preprocess import CROP_PX, MARGIN, crop_face
from device.vocabulary import Face
from training.data.listings import read_labels
from training.data.pictures import read_grey
from training.files import MODELS

KINDS = ("haar", "hog", "both", "blazeface")
MARGINS = (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4)
ALIGNED_SIDES = (2.0, 2.2, 2.4, 2.6, 2.8, 3.0)
FER2013_ABOVE = 0.06  # of the side, by which the middle of its pictures lies above the points'

Grey = npt.NDArray[np.uint8]
Crop = Callable[[Grey, Face], Grey]


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("evaluate-crop", help="measure detector, crop and network")
    parser.add_argument("--pictures", type=Path, action="append", required=True,
                        help="folder with labels.csv; may be given more than once")  # fmt: skip
    parser.add_argument("--model", type=Path, default=MODELS / "expression.tflite")
    parser.add_argument(
        "--prior", choices=("natural", "balanced"), default=ClassifierSettings().prior,
        help="of the classifier, default the device's",
    )  # fmt: skip
    parser.add_argument("--detector", action="append", choices=KINDS, dest="kinds")
    parser.add_argument("--output", type=Path, help="write the numbers as JSON, too")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Prints one table a folder: a row a detector, a column a crop."""
    classifier = TFLiteClassifier.load(arguments.model, arguments.prior)
    results = {}
    for folder in arguments.pictures:
        listed = read_labels(folder)
        pictures = [read_grey(path) for path, _ in listed]
        labels = np.array([label for _, label in listed])
        print(f"\n{folder.name}: {len(labels)} pictures\n")
        headings: list[str] = []
        for kind in arguments.kinds or KINDS:
            try:
                row = measure(kind, pictures, labels, classifier)
            except MienError as error:
                print(f"| {kind} | not measured: {error} |")
                continue
            results[f"{folder.name}/{kind}"] = row
            if headings != ["detector", *row]:
                headings = ["detector", *row]
                print(f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}")
            print(f"| {kind} | {' | '.join(f'{v:.1%}' for v in row.values())} |", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(
    kind: str, pictures: list[Grey], labels: npt.NDArray[np.int64], classifier: TFLiteClassifier
) -> dict[str, float]:
    """Share of faces found, then accuracy of every way to cut them out."""
    faces = find_faces(kind, pictures)
    row = {"found": float(np.mean([face is not None for face in faces]))}
    with_points = all(face is None or face.landmarks is not None for face in faces)
    for name, crops in (ways_of_boxes() | (ways_of_points() if with_points else {})).items():
        row[name] = accuracy(pictures, faces, labels, classifier, crops)
    return row


def ways_of_boxes() -> dict[str, list[Crop]]:
    """Crops by the box alone; of several, their mean opinion counts (and twice the time)."""
    ways: dict[str, list[Crop]] = {
        f"margin {margin}": [partial(crop_face, margin=margin)] for margin in MARGINS
    }
    ways["margins 0.1 and 0.3"] = [partial(crop_face, margin=margin) for margin in (0.1, 0.3)]
    ways["and mirrored"] = [crop_face, crop_mirrored]
    return ways


def ways_of_points() -> dict[str, list[Crop]]:
    """Crops by the landmarks: all by them, or the box's crop turned or moved."""
    ways: dict[str, list[Crop]] = {
        f"aligned {side}": [partial(crop_aligned, side=side)] for side in ALIGNED_SIDES
    }
    ways["turned"] = [partial(crop_turned, turn=1.0)]
    ways["half turned"] = [partial(crop_turned, turn=0.5)]
    ways["centred"] = [partial(crop_turned, turn=0.0, centred=True)]
    ways["turned, centred"] = [partial(crop_turned, turn=1.0, centred=True)]
    return ways


def find_faces(kind: str, pictures: list[Grey]) -> list[Face | None]:
    """The largest face of each picture, with landmarks where that network is there."""
    detector = build_detector(DetectorSettings(kind=kind))
    path = MODELS / "landmarks.tflite"
    landmarks = LandmarkNetwork.load(path) if path.is_file() else None
    faces: list[Face | None] = []
    for picture in pictures:
        found = detector.detect(picture)[:1]
        if landmarks:
            found = landmarks.place(picture, found)
        faces.append(found[0] if found else None)
    return faces


def accuracy(
    pictures: list[Grey],
    faces: list[Face | None],
    labels: npt.NDArray[np.int64],
    classifier: TFLiteClassifier,
    crops: list[Crop],
) -> float:
    """Share of all pictures whose expression is named as labelled, by the crops' mean opinion."""
    found = [index for index, face in enumerate(faces) if face is not None]
    opinions = []
    for crop in crops:
        cut = np.stack([crop(pictures[i], face) for i in found if (face := faces[i])])
        opinions.append(np.log(np.maximum(classifier.probabilities(cut), 1e-9)))
    named = np.mean(opinions, axis=0).argmax(axis=1)
    return float((named == labels[found]).sum() / len(labels))


def crop_mirrored(image: Grey, face: Face) -> Grey:
    """The device's crop as in a mirror."""
    return np.ascontiguousarray(crop_face(image, face)[:, ::-1])


def crop_turned(image: Grey, face: Face, turn: float, centred: bool = False) -> Grey:
    """The box's crop, turned and moved by the landmarks, as a (48, 48) uint8 square.

    Args:
        image: (height, width) uint8 grey frame.
        face: with landmarks.
        turn: share of the face's tilt that is taken away.
        centred: on the face as in FER2013, by the landmarks, instead of on the box.
    """
    if face.landmarks is None:
        return crop_face(image, face)
    side = max(face.box.width, face.box.height, 1.0) * (1 + MARGIN)
    leaning = tilt(face.landmarks)
    x, y = np.array(face.box.center) - 0.5
    if centred:
        eyes, mouth, *_ = axes(face.landmarks)
        up = np.array([np.sin(leaning), -np.cos(leaning)])
        x, y = (eyes + mouth) / 2 + up * FER2013_ABOVE * side
    large = CROP_PX * max(1, int(np.ceil(side / CROP_PX)))  # warpAffine does not average
    angle_deg = float(np.degrees(leaning * turn))
    matrix = cv2.getRotationMatrix2D((float(x), float(y)), angle_deg, large / side)
    matrix = np.asarray(matrix, np.float64)
    matrix[:, 2] += ((large - 1) / 2 - x, (large - 1) / 2 - y)
    crop = cv2.warpAffine(image, matrix, (large, large), borderMode=cv2.BORDER_REPLICATE)
    crop = cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def crop_aligned(image: Grey, face: Face, side: float) -> Grey:
    """The face turned upright and scaled by its landmarks, as a (48, 48) uint8 square.

    Args:
        image: (height, width) uint8 grey frame.
        face: with landmarks.
        side: of the square, in distances between eyes and mouth (or between the eyes, if more).
    """
    if face.landmarks is None:
        return crop_face(image, face)
    eyes, mouth, across, down = axes(face.landmarks)
    unit = max(np.hypot(*across), np.hypot(*down), 1.0)
    scale = CROP_PX / (side * unit)
    middle = (eyes + mouth) / 2
    angle_deg = np.degrees(np.arctan2(across[1], across[0]))
    rotation = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle_deg, scale)
    matrix = np.asarray(rotation, np.float64)
    matrix[:, 2] += CROP_PX / 2 - middle
    small = image
    if scale < 0.5:  # warpAffine does not average: halve first, the rest is interpolation
        factor = 1 / int(1 / scale)
        small = np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
        matrix[:, :2] = matrix[:, :2] / factor
    crop = cv2.warpAffine(small, matrix, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)
