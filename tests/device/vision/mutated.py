"""Damaged TFLite files with cards that fit them, as a bundle of somebody else may carry them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

from device.vision import MODELS

TINY = MODELS / "expression-tiny.tflite"
STRUCTURE = 71_448  # from here on tensors, operators and offsets; before it mostly weights
CRASHES = {"SIGSEGV": (71_692, b"\xff" * 4), "SIGABRT": (71_840, b"\1")}  # the runtime itself
WORDS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def write_model(folder: Path, content: bytes, name: str = "m") -> Path:
    """A folder with a model and the tiny model's card, whose checksum fits."""
    folder.mkdir()
    card = json.loads(TINY.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / f"{name}.tflite").write_bytes(content)
    (folder / f"{name}.json").write_text(json.dumps(card))
    return folder / f"{name}.tflite"


def changed(folder: Path, at: int, to: bytes) -> Path:
    """The tiny model with other bytes at one place."""
    content = bytearray(TINY.read_bytes())
    content[at : at + len(to)] = to
    return write_model(folder, bytes(content))


def mutated(rng: random.Random) -> bytes:
    """The tiny model with one to four changes: bits, bytes, words, zeros, moved parts, a cut.

    Three of four are where the file says what is computed; changed weights are harmless.
    """
    data = bytearray(TINY.read_bytes())
    for _ in range(rng.randint(1, 4)):
        first = STRUCTURE if rng.random() < 0.75 else 8  # "TFL3" stays
        rng.choice(CHANGES)(data, rng, rng.randrange(min(first, len(data) - 8), len(data) - 4))
    return bytes(data)


def _flip(data: bytearray, rng: random.Random, at: int) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: random.Random, at: int) -> None:
    data[at] = rng.randrange(256)


def _word(data: bytearray, rng: random.Random, at: int) -> None:
    """Offsets, sizes and numbers of a flatbuffer are words at multiples of four."""
    at -= at % 4
    data[at : at + 4] = rng.choice(WORDS).to_bytes(4, "little")


def _step(data: bytearray, rng: random.Random, at: int) -> None:
    """A word that is a little off: a shape, an index, an offset to a neighbour."""
    at -= at % 4
    value = int.from_bytes(data[at : at + 4], "little") + rng.randint(-64, 64)
    data[at : at + 4] = (value % 2**32).to_bytes(4, "little")


def _zeros(data: bytearray, rng: random.Random, at: int) -> None:
    length = min(rng.randint(1, 64), len(data) - at)
    data[at : at + length] = bytes(length)


def _move(data: bytearray, rng: random.Random, at: int) -> None:
    length = min(rng.randint(4, 64), len(data) - at)
    source = rng.randrange(len(data) - length)
    data[at : at + length] = data[source : source + length]


def _cut(data: bytearray, rng: random.Random, at: int) -> None:
    if rng.random() < 0.1:  # nearly all that is cut is refused for the same reason
        del data[at:]
        data += bytes(16)


CHANGES: tuple[Callable[[bytearray, random.Random, int], None], ...] = (
    _flip, _byte, _word, _step, _zeros, _move, _cut,
)  # fmt: skip
