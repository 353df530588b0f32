"""``training evaluate-crop``: end-to-end accuracy on full pictures, by detector and crop.

Detector, crop and network as on the device, on folders of pictures with a ``labels.csv``
(file, label). A picture in which no face is found counts as wrong. This is the
measurement behind ``MARGIN`` in ``device/vision/preprocess.py``, and behind not turning faces
upright by their landmarks and not looking at any face twice.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import MienError
from device.settings import Settings
from device.vision.stage import LandmarkModel, TFLiteClassifier, build_detector
from device.vocabulary import Face
from training.data.listings import read_labels
from training.data.pictures import read_grey
from training.files import MODELS, require_output, write_json
from training.reports.crops import (
    Crop,
    Grey,
    ways_of_boxes,
    ways_of_points,
)

KINDS = ("haar", "hog", "both", "blazeface")


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("evaluate-crop", help="measure detector, crop and network")
    parser.add_argument("--pictures", type=Path, action="append", required=True,
                        help="folder with labels.csv; may be given more than once")  # fmt: skip
    parser.add_argument("--model", type=Path, default=MODELS / "expression.tflite")
    parser.add_argument(
        "--prior", choices=("natural", "balanced"), default=Settings().classifier.prior,
        help="of the classifier, default the device's",
    )  # fmt: skip
    parser.add_argument("--detector", action="append", choices=KINDS, dest="kinds")
    parser.add_argument("--output", type=Path, help="write the numbers as JSON, too")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Prints one table a folder: a row a detector, a column a crop."""
    require_output(arguments.output)
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
        write_json(arguments.output, results)
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


def find_faces(kind: str, pictures: list[Grey]) -> list[Face | None]:
    """The largest face of each picture, with landmarks where that network is there."""
    detector = build_detector(replace(Settings().detector, kind=kind))
    path = MODELS / "landmarks.tflite"
    landmarks = LandmarkModel.load(path) if path.is_file() else None
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
    if not found:
        return 0.0
    opinions = []
    for crop in crops:
        cut = np.stack([crop(pictures[i], face) for i in found if (face := faces[i])])
        opinions.append(np.log(np.maximum(classifier.probabilities(cut), 1e-9)))
    named = np.mean(opinions, axis=0).argmax(axis=1)
    return float((named == labels[found]).sum() / len(labels))
