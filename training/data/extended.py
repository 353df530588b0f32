"""FER2013 with more training pictures: written in the published form, so that nothing else changes.

The result is read like the original (``--data`` and ``--votes``). Additions are always of the
training split: what the network is judged by stays as published.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.data.fer2013 import CROWD_ORDER, POSED, VOTE_COLUMNS, Pictures, Split
from training.files import require_folder, write_table

USAGE = {Split.TRAIN: "Training", Split.VALIDATION: "PublicTest", Split.TEST: "PrivateTest"}
SURE_VOTES = 10  # what FER+ gives a picture on which everybody agrees
POSES_A_FACE = 6  # `add-posed` writes so many rows of each face, the rest last
POSED_VOTES = 100  # of a posed face: finer shares than FER+'s ten votes can say


def extend(
    pictures: Pictures,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    origin: str,
    votes: npt.NDArray[np.integer] | None = None,
) -> Pictures:
    """The pictures and, after them, more of the training split.

    Args:
        pictures: FER2013, with or without votes.
        pixels: (n, 48, 48) uint8 to add.
        labels: (n,) what they show.
        origin: where they come from, for their names.
        votes: (n, 10) in the order of ``VOTE_COLUMNS``; None for all ten votes for the label, where
            FER2013 has votes.
    """
    if votes is None:
        votes = np.zeros((len(labels), len(VOTE_COLUMNS)), np.int64)
        if pictures.has_votes:
            columns = np.asarray(CROWD_ORDER)[labels]
            votes[np.arange(len(labels)), columns] = SURE_VOTES
    names = np.array([f"{origin} {number}" for number in range(len(labels))])
    return Pictures(
        np.concatenate([pictures.pixels, pixels]),
        np.concatenate([pictures.labels, labels.astype(np.int64)]),
        np.concatenate([pictures.splits, np.full(len(labels), Split.TRAIN, np.int64)]),
        np.concatenate([pictures.votes, votes]),
        np.concatenate([pictures.names, names]),
    )


def write_csv_pair(pictures: Pictures, folder: Path) -> tuple[Path, Path]:
    """Writes ``fer2013.csv`` and ``fer2013new.csv``, each whole or not at all.

    Returns:
        The two paths.

    Raises:
        UsageError: the folder already holds them, or cannot be written.
    """
    data, votes = require_new(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(data, ("emotion", "pixels", "Usage"), _picture_rows(pictures))
        write_table(votes, ("Usage", "Image name", *VOTE_COLUMNS), _vote_rows(pictures))
    except OSError as error:
        raise UsageError(f"{folder}: cannot write: {error.strerror}") from error
    return data, votes


def require_new(folder: Path) -> tuple[Path, Path]:
    """The two paths, neither of which is there yet.

    Raises:
        UsageError: one is, or the folder cannot be written.
    """
    data, votes = folder / "fer2013.csv", folder / "fer2013new.csv"
    for path in (data, votes):
        if path.exists():
            raise UsageError(f"{path}: already there; name another folder with --output")
    require_folder(folder)
    return data, votes


def _picture_rows(pictures: Pictures) -> Iterator[tuple[Any, ...]]:
    for crop, label, split in zip(pictures.pixels, pictures.labels, pictures.splits, strict=True):
        yield int(label), " ".join(map(str, crop.ravel().tolist())), USAGE[Split(int(split))]


def _vote_rows(pictures: Pictures) -> Iterator[tuple[Any, ...]]:
    rows = zip(pictures.splits, pictures.votes, pictures.posed, strict=True)
    for number, (split, votes, posed) in enumerate(rows):
        origin = POSED if posed else "fer"
        yield USAGE[Split(int(split))], f"{origin}{number:07d}.png", *votes.tolist()
