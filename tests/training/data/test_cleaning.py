from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.drawn import draw
from training.classifier.recipe import Recipe
from training.data.cleaning import (
    clean,
    clean_as,
    lend_validation,
    relabel,
    summary,
    write_list,
)
from training.data.fer2013 import CROWD_ORDER, NOT_A_FACE, Pictures, Split, read_pictures


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


def test_a_share_of_validation_can_be_learnt_and_is_cleaned_likewise(
    drawn: tuple[Path, Path],
) -> None:
    pictures = read_pictures(*drawn)
    count = len(pictures.split(Split.VALIDATION))
    assert clean_as(pictures, Recipe())[0].split(Split.VALIDATION).names.size == count
    recipe = replace(Recipe(), learn_validation=0.75)
    learnt, dropped = clean_as(pictures, recipe)
    held_out = learnt.split(Split.VALIDATION).names
    assert len(held_out) == count - round(0.75 * count)
    np.testing.assert_array_equal(held_out, lend_validation(pictures, 0.75).split(
        Split.VALIDATION).names)  # fmt: skip
    assert set(held_out) <= set(pictures.split(Split.VALIDATION).names)
    lent = set(pictures.split(Split.VALIDATION).names) - set(held_out)
    assert lent <= set(learnt.split(Split.TRAIN).names) | {entry.name for entry in dropped}
    np.testing.assert_array_equal(learnt.split(Split.TEST).names, pictures.split(Split.TEST).names)
    flawed = pictures_with_every_flaw()  # one picture of validation, repeated in training
    _, dropped = clean_as(flawed, replace(Recipe(), learn_validation=1.0))
    assert "row 7" in {entry.name for entry in dropped if entry.reason == "repeats row 1"}


def test_the_detector_drops_what_it_does_not_see_when_asked() -> None:
    pictures = pictures_with_every_flaw()
    blind = Pictures(pictures.pixels, pictures.labels, pictures.splits,
                     np.zeros_like(pictures.votes), pictures.names)  # fmt: skip
    assert not [entry for entry in clean(blind)[1] if entry.reason == "no face"]
    _, dropped = clean(blind, detect=True)
    assert {"row 0", "row 4"} <= {entry.name for entry in dropped if entry.reason == "no face"}


def test_relabelling_follows_clear_votes_in_the_training_split_only() -> None:
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
