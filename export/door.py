"""The one way into a folder of the device's: gate, comparison with the file in place, writing."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.errors import ModelError
from device.vision.model_card import ModelCard
from export.gate import GateError, Limit, require
from export.in_place import Comparison, refuse_worse
from export.pair import pair_in_place, require_writable, write_pair

MODELS = Path("device/models")


@dataclass(frozen=True)
class Candidate:
    """A converted file that wants to pass.

    Attributes:
        content: of the file.
        card: its name is that of the files.
        limits: what the gate asks of it.
        measured_on: pictures and their number, for the gate's error.
        compare: what it and the file in place make of the same pictures; None where the two do
            not do the same.
        suffix: of the file.
    """

    content: bytes
    card: ModelCard
    limits: Sequence[Limit]
    measured_on: str
    compare: Callable[[bytes, ModelCard], Comparison | None]
    suffix: str = ".tflite"


def add_options(parser: argparse.ArgumentParser, models: Path = MODELS) -> None:
    """Adds what every export command takes."""
    parser.add_argument("--models", type=Path, default=models, help=f"target, default {models}")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace the file in place by one that is worse or cannot be compared",
    )


def deliver(candidate: Candidate, folder: Path, force: bool) -> Path:
    """Writes the pair if nothing speaks against it.

    Returns:
        The path of the model.

    Raises:
        GateError: a limit is missed, or the file in place is better or cannot be compared; nothing
            is written.
        StorageError: the folder cannot be written.
    """
    require(candidate.limits, candidate.measured_on)
    require_writable(folder)
    path = folder / f"{candidate.card.name}{candidate.suffix}"
    try:
        found = pair_in_place(path)
    except ModelError as error:
        print(f"not compared with the file in place: {error}", flush=True)
        found = None
    comparison = candidate.compare(*found) if found else None
    if comparison is not None:
        refuse_worse(comparison, path, force)
    elif found and not force:
        raise GateError(
            f"not exported, {path}, which is in place, cannot be compared: it was made for something "
            "else, or no pictures are left that neither has learnt; --force replaces it all the same"
        )
    path = write_pair(folder, candidate.content, candidate.card, candidate.suffix)
    print(f"{path} and its card written: {len(candidate.content):,} bytes", flush=True)
    return path
