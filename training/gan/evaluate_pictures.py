"""``training evaluate-synthesis``: whole pictures, as ``mien synthesize`` makes them, named again.

A face is found in a picture, changed to each expression, found again and named, by the device's own
parts. Other networks may judge the same faces.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.stage import FaceStage, TFLiteClassifier
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS, Face, GreyImage
from training.files import MODELS
from training.gan.blind_test import Album, Picture, read_image
from training.reports.baselines import published
from training.reports.plots import NAMES
from training.reports.tables import table

Name = Callable[[list[Face]], list[int]]  # indices of expressions


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser(
        "evaluate-synthesis", help="are whole synthesized pictures named as asked?"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with labels.csv")
    parser.add_argument("--generator", type=Path, default=MODELS / "generator.tflite")
    parser.add_argument("--faces", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer", type=Path, action="append", default=[],
                        help="published .tflite or .hdf5 that judges, too; may be repeated")  # fmt: skip
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Prints a row for each judge, of the synthesized faces and of the real ones."""
    peers = [published(path) for path in arguments.peer]
    synthesizer = Synthesizer.load(arguments.generator)
    album = Album(arguments.folder, np.random.default_rng(arguments.seed))
    judges: dict[str, Name] = {f"`{album.classifier.card.name}`": named_by(album.classifier)}
    for peer in peers:
        judges[peer.name] = partial(named_by_crops, peer.logits)
    pictures = album.good(arguments.faces)
    if len(pictures) < arguments.faces:
        raise UsageError(f"{arguments.folder}: only {len(pictures)} faces are good enough")
    made = [results_of(picture, synthesizer, album.stage) for picture in pictures]
    labels = [EXPRESSIONS.index(picture.label) for picture in pictures]
    rows = []
    for judge, ask in judges.items():
        rows.append([f"{judge}: synthesized", *shares_of(made, ask)])
        real = np.array(ask([picture.face for picture in pictures if picture.face]))
        rows.append([f"{judge}: real, as labelled", f"{(real == labels).mean():.1%}", *[""] * 7])
    print(f"{len(pictures)} faces of {arguments.folder.name} × 7, seed {arguments.seed}\n")
    print(table(["judge", "mean", *NAMES], rows), end="")
    return 0


def named_by(classifier: TFLiteClassifier) -> Name:
    """The device's classifier, with its default prior."""
    return lambda faces: [EXPRESSIONS.index(c.expression) for c in classifier.classify(faces)]


def named_by_crops(
    ask: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]], faces: list[Face]
) -> list[int]:
    """What another network says of the same crops."""
    crops: list[GreyImage] = [face.crop for face in faces if face.crop is not None]
    return [int(index) for index in ask(np.stack(crops)).argmax(axis=1)]


def results_of(picture: Picture, synthesizer: Synthesizer, stage: FaceStage) -> list[Face | None]:
    """The face in each of the seven results; None where it is not found again."""
    assert picture.face is not None
    image, found = read_image(picture.path), []
    for expression in EXPRESSIONS:
        result = synthesizer.synthesize(image, picture.face, expression, picture.shown)
        faces = stage.find(stage.grey(result))
        found.append(replace(faces[0], rejection_reason=None) if faces else None)
    return found


def shares_of(made: list[list[Face | None]], name: Name) -> list[str]:
    """How many are named as asked: of all, and for each expression."""
    right = []
    for number in range(len(EXPRESSIONS)):
        faces = [faces[number] for faces in made]
        answers = name([face for face in faces if face])
        right.append(sum(answer == number for answer in answers) / len(faces))
    return [f"{share:.1%}" for share in (float(np.mean(right)), *right)]
