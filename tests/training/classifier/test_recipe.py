from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import device
from training.classifier.recipe import (
    Recipe,
    crowd_targets,
    fer2013_targets,
    informed_labels,
    targets_of,
)
from training.data.fer2013 import CROWD_ORDER, Pictures

MODELS = Path(device.__file__).parent / "models"


def picture_with(votes: list[int], label: int = 2) -> Pictures:
    row = np.zeros((1, 10), np.int64)
    row[0, list(CROWD_ORDER)] = votes
    return Pictures(np.zeros((1, 48, 48), np.uint8), np.array([label]), np.zeros(1, np.int64),
                    row, np.array(["row 0"]))  # fmt: skip


def test_labels_are_smoothed() -> None:
    targets = fer2013_targets(picture_with([0] * 7), 0.07)
    np.testing.assert_allclose(targets[0], [0.01, 0.01, 0.94, 0.01, 0.01, 0.01, 0.01], atol=1e-6)


def test_single_votes_are_slips_unless_there_is_nothing_else() -> None:
    np.testing.assert_allclose(
        crowd_targets(picture_with([6, 1, 0, 0, 2, 0, 0]), 0)[0], [0.75, 0, 0, 0, 0.25, 0, 0]
    )
    np.testing.assert_allclose(
        crowd_targets(picture_with([1, 0, 0, 0, 0, 0, 1]), 0)[0], [0.5, 0, 0, 0, 0, 0, 0.5]
    )


def test_without_votes_the_label_has_to_serve() -> None:
    targets = crowd_targets(picture_with([0] * 7, label=5), 0)
    assert targets[0].tolist() == [0, 0, 0, 0, 0, 1, 0]


def test_teacher_takes_its_share_of_the_votes() -> None:
    pictures = picture_with([10, 0, 0, 0, 0, 0, 0], label=0)
    answers = {head: np.eye(7, dtype=np.float32)[[1]] for head in ("fer2013", "crowd")}
    recipe = replace(Recipe(), teacher_share=0.7, informed_share=0, label_smoothing=0)
    targets = targets_of(pictures, recipe, answers)
    np.testing.assert_allclose(targets["crowd"][0, :2], [0.3, 0.7], atol=1e-6)
    np.testing.assert_allclose(targets["fer2013"][0, :2], [1, 0], atol=1e-6)


def test_votes_and_a_teacher_say_how_likely_a_label_is() -> None:
    # Half of the pictures that all call happy are labelled sad, as no network could foresee.
    pictures = picture_with([0, 0, 0, 10, 0, 0, 0]).subset(np.zeros(40, np.int64))
    pictures = replace(pictures, labels=np.tile([3, 4], 20))
    informed = informed_labels(pictures)
    np.testing.assert_allclose(informed[:, 3:5], 0.5, atol=0.02)
    assert informed[:, :3].max() == 0
    right = {head: np.eye(7, dtype=np.float32)[pictures.labels] for head in ("fer2013", "crowd")}
    told = informed_labels(pictures, right)
    assert (told.argmax(axis=1) == pictures.labels).all()
    half = targets_of(pictures, replace(Recipe(), informed_share=0.5, label_smoothing=0))
    np.testing.assert_allclose(half["fer2013"][0, 3:5], [0.75, 0.25], atol=0.02)
