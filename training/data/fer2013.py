"""Reads FER2013 as its users have it, and the FER+ votes that belong to it.

Three published forms are understood: ``fer2013.csv`` (columns emotion, pixels, Usage),
``icml_face_data.csv`` (the same columns in another order) and folders
(``train/angry/Training_10118481.jpg``). The official splits are kept: train / validation /
test are ``Training`` / ``PublicTest`` / ``PrivateTest``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS
from training.data.rows import parse_pixels, read_rows, whole_number
from training.files import reason

NUM_CLASSES = len(EXPRESSIONS)
VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear",
                "contempt", "unknown", "NF")  # fmt: skip
CROWD_ORDER = (4, 5, 6, 1, 3, 2, 0)  # the vote column of each expression, in FER2013 order
NOT_A_FACE = VOTE_COLUMNS.index("NF")
OTHER_NAMES = {"anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy",
               "sadness": "sad", "surprised": "surprise"}  # as published copies call them  # fmt: skip
FOLDER_NAMES = {expression.value: number for number, expression in enumerate(EXPRESSIONS)}
FOLDER_NAMES |= {other: FOLDER_NAMES[name] for other, name in OTHER_NAMES.items()}
MIN_VOTED, MIN_AGREEMENT = 100, 0.4  # fewer pictures say nothing; shuffled ones agree on a fifth
MAX_VOTES = 1000  # of one picture for one expression; FER+ has ten, `add-posed` writes a hundred
POSED = "posed"  # names of faces that ``training add-posed`` has added begin so
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class Split(IntEnum):
    """The official splits."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


FOLDER_SPLITS = (("train", Split.TRAIN), ("val", Split.VALIDATION))
USAGES = {"Training": Split.TRAIN, "PublicTest": Split.VALIDATION, "PrivateTest": Split.TEST}


@dataclass(frozen=True)
class Pictures:
    """Pictures with their labels; every array has one entry a picture.

    Attributes:
        pixels: (n, 48, 48) uint8.
        labels: (n,) int64, FER2013's own labels.
        splits: (n,) int64, values of ``Split``.
        votes: (n, 10) int64 in the order of ``VOTE_COLUMNS``; all zero where nobody voted.
        names: (n,) where each came from: ``row 17``, ``posed row 17`` or a file's path in the
            folder.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    splits: npt.NDArray[np.int64]
    votes: npt.NDArray[np.int64]
    names: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Pictures:
        """The pictures that a mask or an index array names."""
        return Pictures(self.pixels[chosen], self.labels[chosen], self.splits[chosen],
                        self.votes[chosen], self.names[chosen])  # fmt: skip

    def split(self, split: Split) -> Pictures:
        """The pictures of one official split."""
        return self.subset(self.splits == split)

    @property
    def posed(self) -> npt.NDArray[np.bool_]:
        """(n,) True for the faces that ``training add-posed`` has added."""
        return np.char.startswith(self.names, POSED)

    @property
    def has_votes(self) -> bool:
        """True where FER+ votes were read."""
        return bool(self.votes.any())

    def crowd(self) -> npt.NDArray[np.int64]:
        """(n, 7) votes for the seven expressions, in FER2013 order."""
        return self.votes[:, CROWD_ORDER]


def read_pictures(data: Path, votes: Path | None = None) -> Pictures:
    """Reads the pictures of a CSV file or a folder, and FER+'s votes if there are any.

    Args:
        data: ``fer2013.csv``, ``icml_face_data.csv`` or a folder with ``train`` and ``test``.
        votes: ``fer2013new.csv``; only fits the CSV forms, whose rows it counts.

    Raises:
        UsageError: missing, unreadable or not in one of the published forms.
    """
    require_data(data)
    if data.is_dir():
        if votes:
            raise UsageError(f"{votes}: FER+ votes count the rows of the CSV; a folder has none")
        return read_folder(data)
    pictures = read_csv(data)
    return pictures if votes is None else add_votes(pictures, votes)


def require_data(path: Path, votes: Path | None = None) -> None:
    """Says where FER2013 is to be had; with ``votes``, also whether they are there.

    Raises:
        UsageError: one is not there.
    """
    if not path.exists():
        raise UsageError(
            f"{path}: no such file. Put Kaggle's fer2013.csv (or icml_face_data.csv, or the folder "
            "with train/ and test/) there, or name it with --data"
        )
    if votes and not votes.is_file():
        raise UsageError(f"{votes}: cannot read the FER+ votes: no such file")


def read_csv(path: Path) -> Pictures:
    """Reads one of the two CSV forms.

    Raises:
        UsageError: a column is missing or a row is damaged.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return parse_rows(path, csv.reader(file))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the pictures: {reason(error)}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a CSV file: {reason(error)}") from error


def parse_rows(path: Path, rows: Iterator[list[str]]) -> Pictures:
    """The pictures in the rows of such a file, of which the first names the columns.

    Raises:
        UsageError: a column is missing or a row is damaged.
    """
    header = [column.strip() for column in next(rows, [])]
    missing = {"emotion", "pixels", "Usage"} - set(header)
    if missing:
        raise UsageError(f"{path}: columns {', '.join(sorted(missing))} are missing")
    places = [header.index(column) for column in ("emotion", "pixels", "Usage")]
    pixels, labels, splits = [], [], []
    for number, row in enumerate(rows, start=2):
        try:
            if len(row) <= max(places):
                raise ValueError("it has too few columns")
            label, picture, usage = (row[place].strip() for place in places)
            labels.append(whole_number(label, "emotion", NUM_CLASSES - 1))
            pixels.append(parse_pixels(picture))
            if usage not in USAGES:
                raise ValueError(f"Usage is {usage or 'empty'}, none of {', '.join(USAGES)}")
            splits.append(USAGES[usage])
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not a FER2013 row ({error})") from error
    if not labels:
        raise UsageError(f"{path}: has a header but no pictures")
    names = np.array([f"row {number}" for number in range(len(labels))])
    return Pictures(np.stack(pixels), np.array(labels), np.array(splits, np.int64),
                    no_votes(len(labels)), names)  # fmt: skip


def read_folder(path: Path) -> Pictures:
    """Reads ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg``.

    The split is the file name's (``PublicTest_123.jpg``) where it says one, else the folder's
    (``train``, ``val`` or ``validation``, ``test``). Without a validation split every tenth picture
    of ``train`` becomes it.

    Raises:
        UsageError: no pictures there, one cannot be read, or a folder is of no known class.
    """
    files = sorted(f for f in path.glob("*/*/*") if f.suffix.lower() in IMAGE_SUFFIXES)
    strange = sorted({f.parent.name for f in files} - set(FOLDER_NAMES))
    if strange:
        known = ", ".join(expression.value for expression in EXPRESSIONS)
        raise UsageError(f"{path}: folders of no known class: {', '.join(strange)}; known: {known}")
    if not files:
        raise UsageError(f"{path}: no pictures like train/angry/NAME.jpg in this folder")
    pixels = np.stack([read_picture(file) for file in files])
    labels = np.array([FOLDER_NAMES[file.parent.name] for file in files])
    splits = np.array([folder_split(file) for file in files], np.int64)
    if not (splits == Split.VALIDATION).any():
        splits[np.flatnonzero(splits == Split.TRAIN)[::10]] = Split.VALIDATION
    names = np.array([str(file.relative_to(path)) for file in files])
    return Pictures(pixels, labels, splits, no_votes(len(labels)), names)


def folder_split(file: Path) -> Split:
    """The split that a file's name or, failing that, its folder says."""
    usage = USAGES.get(file.name.split("_")[0])
    if usage is not None:
        return usage
    folder = file.parent.parent.name.lower()
    return next((split for name, split in FOLDER_SPLITS if folder.startswith(name)), Split.TEST)


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """One picture as (48, 48) uint8 grey; other sizes are resized."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise UsageError(f"{path}: not a readable picture")
    if picture.shape != (CROP_PX, CROP_PX):
        picture = cv2.resize(picture, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)


def no_votes(count: int) -> npt.NDArray[np.int64]:
    """(count, 10) zeros: nobody voted."""
    return np.zeros((count, len(VOTE_COLUMNS)), np.int64)


def add_votes(pictures: Pictures, path: Path) -> Pictures:
    """Adds the votes of ``fer2013new.csv``, whose rows stand in the order of FER2013's.

    Raises:
        UsageError: missing, other columns, another number of rows, or rows in another order.
    """
    rows = read_rows(path, "the FER+ votes")
    missing = [column for column in VOTE_COLUMNS if rows and column not in rows[0]]
    if missing:
        raise UsageError(f"{path}: not FER+'s votes: columns {', '.join(missing)} are missing")
    counts = []
    for number, row in enumerate(rows, start=2):
        try:
            counts.append([whole_number(row[name], name, MAX_VOTES) for name in VOTE_COLUMNS])
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not a row of FER+ votes ({error})") from error
    votes = np.array(counts, np.int64).reshape(-1, len(VOTE_COLUMNS))
    posed = [(row.get("Image name") or "").startswith(POSED) for row in rows]
    if len(votes) != len(pictures):
        raise UsageError(f"{path}: {len(votes)} rows of votes for {len(pictures)} pictures")
    check_order(
        pictures, votes, [USAGES.get((row.get("Usage") or "").strip()) for row in rows], path
    )
    names = np.where(posed, np.char.add(f"{POSED} ", pictures.names), pictures.names)
    return Pictures(pictures.pixels, pictures.labels, pictures.splits, votes, names)


def check_order(
    pictures: Pictures, votes: npt.NDArray[np.int64], splits: list[Split | None], path: Path
) -> None:
    """Refuses votes of other pictures: FER+ knows its pictures by nothing but their order.

    Args:
        pictures: without votes.
        votes: (n, 10), a row a picture.
        splits: of each row; None where the file does not say it.
        path: of the votes, for the error.

    Raises:
        UsageError: a row belongs to another split, or the votes hardly ever agree with the labels.
    """
    for number, (there, here) in enumerate(zip(splits, pictures.splits, strict=True), start=2):
        if there is not None and there != here:
            raise UsageError(
                f"{path}, line {number}: votes of another split than that picture's; the rows of both "
                "files must stand in the published order"
            )
    crowd = votes[:, CROWD_ORDER]
    voted = crowd.sum(axis=1) > 0
    agreement = float((crowd.argmax(axis=1) == pictures.labels)[voted].mean()) if voted.any() else 1
    if voted.sum() >= MIN_VOTED and agreement < MIN_AGREEMENT:
        raise UsageError(
            f"{path}: the votes agree with only {agreement:.0%} of the labels (FER2013: 64 %); the "
            "rows of both files must stand in the published order"
        )
