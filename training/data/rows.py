"""Rows of CSV files and the numbers in them; what is wrong is said in words."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import CROP_PX
from training.files import reason


def read_rows(path: Path, what: str) -> list[dict[str, str]]:
    """The rows of a CSV file by their columns; the first one is line 2.

    Args:
        path: of the file.
        what: it holds, for the error.

    Raises:
        UsageError: missing, unreadable, or not a CSV file.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(f"{path}: cannot read {what}: {reason(error)}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a CSV file: {reason(error)}") from error


def whole_number(text: str | None, what: str, most: int) -> int:
    """A number from 0 to ``most``.

    Raises:
        ValueError: it is none; the text says so in words.
    """
    try:
        number = int(text or "")
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise ValueError(f"{what} is {text or 'empty'}, not a whole number from 0 to {most}")
    return number


def decimal(row: Mapping[str, str], column: str) -> float:
    """A column's number.

    Raises:
        ValueError: there is no such column, or no finite number in it.
    """
    if row.get(column) is None:
        raise ValueError(f"the column {column} is missing")
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{column} is {row[column] or 'empty'}, not a number")
    return number


def parse_pixels(text: str) -> npt.NDArray[np.uint8]:
    """(48, 48) uint8 from 2,304 numbers with spaces between them.

    Raises:
        ValueError: another count, no numbers, or not from 0 to 255.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what cannot be read to its end
        try:
            values = np.fromstring(text, np.int64, sep=" ")
        except DeprecationWarning as error:
            raise ValueError("pixels are no numbers") from error
    if values.size != CROP_PX * CROP_PX:
        raise ValueError(f"{values.size} pixels, not {CROP_PX * CROP_PX}")
    if not 0 <= values.min() <= values.max() <= 255:
        raise ValueError("pixels must be from 0 to 255")
    return values.astype(np.uint8).reshape(CROP_PX, CROP_PX)
