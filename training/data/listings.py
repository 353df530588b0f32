"""CSV listings of pictures and what they show: ``labels.csv``, ``captured.csv``, ``review.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from device.errors import UsageError
from training.data.fer2013 import FOLDER_NAMES

COLUMNS = ("file", "expression", "probability")  # of a list of collected faces


@dataclass(frozen=True)
class Captured:
    """One collected face: its file in the folder, its label, and how sure the network was."""

    file: str
    expression: int
    probability: float


def read_rows(path: Path, what: str) -> list[dict[str, str]]:
    """The rows of a CSV file by their columns; the first one is line 2.

    Args:
        path: of the file.
        what: it holds, for the error.

    Raises:
        UsageError: missing, unreadable, or not a CSV file.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(f"{path}: cannot read {what}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a CSV file: {error}") from error


def read_labels(folder: Path) -> list[tuple[Path, int]]:
    """The pictures of a folder's ``labels.csv`` with the numbers of their expressions.

    Its columns are file and label, or file and expression.

    Raises:
        UsageError: missing, another column, a label that is none of the seven, or no rows.
    """
    path = folder / "labels.csv"
    pictures = []
    for line, row in enumerate(read_rows(path, "the labels"), start=2):
        try:
            label = row["expression"] if "expression" in row else row["label"]
            pictures.append((folder / row["file"], FOLDER_NAMES[label]))
        except KeyError as error:
            raise UsageError(
                f"{path}, line {line}: {error} is no column or no expression of ours"
            ) from error
    if not pictures:
        raise UsageError(f"{path}: names no pictures")
    return pictures


def read_captured(path: Path) -> list[Captured]:
    """The collected faces that a list names.

    Raises:
        UsageError: missing, not such a list, or empty.
    """
    faces = []
    for line, row in enumerate(read_rows(path, "the faces"), start=2):
        try:
            expression = FOLDER_NAMES[row["expression"]]
            faces.append(Captured(row["file"], expression, float(row["probability"])))
        except (KeyError, TypeError, ValueError) as error:
            known = ", ".join(FOLDER_NAMES)
            raise UsageError(
                f"{path}, line {line}: expected {', '.join(COLUMNS)} with an expression of {known} "
                f"({error})"
            ) from error
    if not faces:
        raise UsageError(f"{path}: names no faces")
    return faces
