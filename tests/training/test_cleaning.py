from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.training.drawn import draw
from training.cleaning import clean, relabel, summary, write_list
from training.fer2013 import CROWD_ORDER, NOT_A_FACE, Pictures, Split


def pictures_with_every_flaw() -> Pictures:
    random = np.random.default_rng(0)
    a, b, c, d, e = (draw(kind, random) for kind in range(5))
    pixels = np.stack([a, b, a, c, d, np.full((48, 48), 7, np.uint8), e, b, c])
    splits = [Split.TRAIN] * 7 + [Split.VALIDATION, Split.TEST]
    votes = np.zeros((9, 10), np.int64)
    votes[:, CROWD_ORDER[3]] = 10
    votes[6] = np.eye(10, dtype=np.int64)[NOT_A_FACE] * 10
    names = np.array([f"row {number}" for number in range(9)])
    return Pictures(pixels, np.arange(9) % 7, np.array(splits, np.int64), votes, names)


def test_what_would_spoil_training_goes_and_is_listed_with_its_reason(tmp_path: Path) -> None:
    pictures = pictures_with_every_flaw()
    kept, dropped = clean(pictures)
    assert {entry.name: entry.reason for entry in dropped} == {
        "row 1": "also in validation: row 7",
        "row 2": "repeats row 0",
        "row 3": "also in test: row 8",
        "row 5": "shows nothing",
        "row 6": "no face",
    }
    assert kept.names.tolist() == ["row 0", "row 4", "row 7", "row 8"]
    write_list(dropped, tmp_path / "dropped.csv")
    with open(tmp_path / "dropped.csv", newline="") as file:
        assert [row["picture"] for row in csv.DictReader(file)] == [d.name for d in dropped]


def test_held_out_pictures_are_never_dropped() -> None:
    pictures = pictures_with_every_flaw()
    kept, _ = clean(pictures)
    for split in (Split.VALIDATION, Split.TEST):
        assert len(kept.split(split)) == len(pictures.split(split))


def test_the_detector_drops_what_it_does_not_see_when_asked() -> None:
    pictures = pictures_with_every_flaw()
    blind = Pictures(pictures.pixels, pictures.labels, pictures.splits,
                     np.zeros_like(pictures.votes), pictures.names)  # fmt: skip
    assert not [entry for entry in clean(blind)[1] if entry.reason == "no face"]
    _, dropped = clean(blind, detect=True)
    assert {"row 0", "row 4"} <= {entry.name for entry in dropped if entry.reason == "no face"}


def test_relabelling_follows_a_sure_crowd_in_the_training_split_only() -> None:
    pictures = pictures_with_every_flaw()
    changed, notes = relabel(pictures)
    assert changed.labels[:6].tolist() == [3] * 6
    assert changed.labels[6:].tolist() == pictures.labels[6:].tolist()
    assert len(notes) == 5
    assert notes[0].reason == "relabelled 3"
    assert summary(notes) == {"relabelled": 5}


@pytest.mark.fer2013
def test_fer2013_leaks_703_pictures_into_training(fer2013_pictures: Pictures) -> None:
    _, dropped = clean(fer2013_pictures)
    counts = summary(dropped)
    assert counts["also in test"] == 387
    assert counts["also in validation"] == 316
