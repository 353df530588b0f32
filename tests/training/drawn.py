"""A FER2013 of drawn patterns: seven kinds that even a tiny network tells apart at once."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from device.vocabulary import EXPRESSIONS
from training.data.fer2013 import CROWD_ORDER, VOTE_COLUMNS

KINDS = 7


def draw(kind: int, random: np.random.Generator) -> np.ndarray:
    """A (48, 48) uint8 pattern: bars whose width and direction depend on the kind."""
    y, x = np.mgrid[0:48, 0:48]
    along = x if kind % 2 else y
    wave = 60 * np.sign(np.sin(along / (1.5 + kind) + random.uniform(0, 6)))
    return np.clip(128 + wave + random.normal(0, 10, (48, 48)), 0, 255).astype(np.uint8)


def drawn_rows(per_kind: int = 12) -> list[tuple[int, np.ndarray, str]]:
    """(label, picture, usage), four fifths of them for training."""
    random = np.random.default_rng(3)
    usages = ["Training"] * (per_kind * 4 // 5)
    usages += ["PublicTest", "PrivateTest"] * (per_kind - len(usages))
    return [
        (kind, draw(kind, random), usage)
        for usage in usages[:per_kind]
        for kind in range(KINDS)
    ]  # fmt: skip


def write_csv(path: Path, rows: list[tuple[int, np.ndarray, str]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for label, picture, usage in rows:
            writer.writerow([label, " ".join(map(str, picture.ravel())), usage])
    return path


def write_votes(path: Path, labels: list[int], votes: int = 9) -> Path:
    """The FER+ votes agree with every label, one annotator does not know; no row says its split."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        for label in labels:
            row = [0] * len(VOTE_COLUMNS)
            row[CROWD_ORDER[label]] = votes
            row[VOTE_COLUMNS.index("unknown")] = 10 - votes
            writer.writerow(["", "x.png", *row])
    return path


def write_folder(path: Path, rows: list[tuple[int, np.ndarray, str]], named: bool) -> Path:
    names = [expression.value for expression in EXPRESSIONS]
    for number, (label, picture, usage) in enumerate(rows):
        folder = path / ("train" if usage == "Training" else "test") / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{usage}_{number:05}" if named else f"im{number:05}"
        cv2.imwrite(str(folder / f"{stem}.png"), picture)
    return path
