"""CSV listings of pictures and what they show: ``labels.csv``, ``captured.csv``, ``review.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS
from training.data.fer2013 import FOLDER_NAMES
from training.data.rows import decimal, read_rows

COLUMNS = ("file", "expression", "probability")  # of a list of collected faces


@dataclass(frozen=True)
class Captured:
    """One collected face: its file in the folder, its label, and how sure the network was."""

    file: str
    expression: int
    probability: float


def read_labels(folder: Path) -> list[tuple[Path, int]]:
    """The pictures of a folder's ``labels.csv`` with the numbers of their expressions.

    Its columns are file and label, or file and expression.

    Raises:
        UsageError: missing, another column, a label that is none of the seven, or no rows.
    """
    path = folder / "labels.csv"
    pictures = []
    for line, row in enumerate(read_rows(path, "the labels"), start=2):
        label = row.get("expression" if "expression" in row else "label")
        if label is None or row.get("file") is None:
            raise UsageError(f"{path}, line {line}: expected the columns file and label")
        pictures.append((folder / row["file"], number_of(label, f"{path}, line {line}")))
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
        where = f"{path}, line {line}"
        if None in (row.get(column) for column in COLUMNS):
            raise UsageError(f"{where}: expected the columns {', '.join(COLUMNS)}")
        expression = number_of(row["expression"], where)
        try:
            probability = decimal(row, "probability")
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from error
        if not 0 <= probability <= 1:
            raise UsageError(f"{where}: probability is {probability:g}, not from 0 to 1")
        faces.append(Captured(row["file"], expression, probability))
    if not faces:
        raise UsageError(f"{path}: names no faces")
    return faces


def read_box_rows(path: Path) -> list[tuple[str, tuple[float, float, float, float]]]:
    """(file, (x, y, width, height) px) of each row of a ``boxes.csv``.

    Raises:
        UsageError: missing, or without the five columns and numbers in them.
    """
    boxes = []
    for line, row in enumerate(read_rows(path, "the boxes"), start=2):
        try:
            if row.get("file") is None:
                raise ValueError("the column file is missing")
            x, y, width, height = (decimal(row, column) for column in ("x", "y", "w", "h"))
            if min(width, height) <= 0:
                raise ValueError("w and h must be above 0")
        except ValueError as error:
            raise UsageError(
                f"{path}, line {line}: expected the columns file, x, y, w, h: {error}"
            ) from error
        boxes.append((row["file"], (x, y, width, height)))
    return boxes


def number_of(label: str, where: str) -> int:
    """The number of the expression that a label names.

    Raises:
        UsageError: it names none of the seven.
    """
    if label not in FOLDER_NAMES:
        known = ", ".join(expression.value for expression in EXPRESSIONS)
        raise UsageError(f"{where}: {label or 'empty'} is not an expression; known: {known}")
    return FOLDER_NAMES[label]
