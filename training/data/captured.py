"""``training add-captured``: FER2013 with faces that a device collected and people reviewed.

The folder is what ``mien capture export`` hands over: ``captured.csv`` with the columns ``file``
(its path within the folder), ``expression`` and ``probability``, and the 48×48 grey crops it
names. The labels are a network's opinions, so nothing is added unseen: the first call writes
``review.png`` and ``review.csv``; who has looked at them, deleted wrong lines or corrected their
expression calls again with ``--reviewed``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS
from training.classifier.train import DATA, VOTES
from training.data.extended import extend, require_new, write_csv_pair
from training.data.fer2013 import read_picture, read_pictures
from training.data.listings import COLUMNS, Captured, read_captured
from training.files import write_table

SHEET_COLUMNS = 12
CAPTION_PX = 24


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("add-captured", help="add faces that a device collected")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="from `mien capture export`")
    parser.add_argument("--reviewed", action="store_true", help="people have read review.csv")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="for the extended CSV files")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, default=VOTES)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Writes the review sheet, or, after the review, the extended pair of CSV files."""
    review = arguments.folder / "review.csv"
    if not arguments.reviewed:
        if review.exists():
            raise UsageError(
                f"{review}: is there already, perhaps corrected; go on with --reviewed, "
                "or delete it to begin anew"
            )
        faces = read_captured(arguments.folder / "captured.csv")
        write_review(arguments.folder, faces)
        print(f"look at {arguments.folder / 'review.png'}, correct or delete lines of {review},")
        print("then call again with --reviewed --output FOLDER")
        return 0
    if not arguments.output:
        raise UsageError("--reviewed needs --output FOLDER for the extended CSV files")
    require_new(arguments.output)
    faces = read_captured(review)
    pixels = np.stack([read_crop(arguments.folder, face) for face in faces])
    labels = np.array([face.expression for face in faces])
    pictures = read_pictures(arguments.data, arguments.votes)
    data, votes = write_csv_pair(extend(pictures, pixels, labels, "captured"), arguments.output)
    print(f"{len(faces)} faces added to the training split")
    print(f"train with: python -m training classifier --data {data} --votes {votes}")
    return 0


def read_crop(folder: Path, face: Captured) -> npt.NDArray[np.uint8]:
    """(48, 48) uint8.

    Raises:
        UsageError: outside the folder, or not readable.
    """
    path = folder / face.file  # may lie in a folder of its expression
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{face.file}: lies outside {folder}")
    return read_picture(path)


def write_review(folder: Path, faces: list[Captured]) -> None:
    """Writes ``review.png``, least certain first, and the list in the same order, last."""
    ordered = sorted(faces, key=lambda face: (face.expression, face.probability))
    numbered = enumerate(ordered, start=2)  # the lines of review.csv
    tiles = [_tile(read_crop(folder, face), face, line) for line, face in numbered]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % SHEET_COLUMNS)
    rows = [np.hstack(tiles[i : i + SHEET_COLUMNS]) for i in range(0, len(tiles), SHEET_COLUMNS)]
    if not cv2.imwrite(str(folder / "review.png"), np.vstack(rows)):
        raise UsageError(f"{folder / 'review.png'}: cannot write")
    entries = ((face.file, EXPRESSIONS[face.expression].value, f"{face.probability:.3f}")
               for face in ordered)  # fmt: skip
    write_table(folder / "review.csv", COLUMNS, entries)


def _tile(crop: npt.NDArray[np.uint8], face: Captured, line: int) -> npt.NDArray[np.uint8]:
    """The crop at double size over its label, probability and line of ``review.csv``."""
    tile = np.zeros((2 * CROP_PX + CAPTION_PX, 2 * CROP_PX), np.uint8)
    tile[: 2 * CROP_PX] = np.kron(crop, np.ones((2, 2), np.uint8))
    lines = (f"{EXPRESSIONS[face.expression].value} {face.probability:.2f}", f"line {line}")
    for number, text in enumerate(lines):
        at = (2, 2 * CROP_PX + 10 + 11 * number)
        cv2.putText(tile, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.32, 255, 1, cv2.LINE_AA)
    return tile
