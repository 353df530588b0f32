from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.classifier.batches import Batches, class_weights, mix_up, one_ahead
from training.classifier.recipe import (
    Recipe,
    targets_of,
)
from training.data.fer2013 import read_pictures


def test_an_epoch_shows_every_picture_once_and_can_be_repeated(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    recipe = replace(Recipe(), batch_size=12)
    batches = Batches(pictures, targets_of(pictures, recipe), recipe)
    first, again = list(batches.of_epoch(3)), list(batches.of_epoch(3))
    other = list(batches.of_epoch(4))
    assert len(first) == len(batches) == len(pictures) // 12
    for (pixels, targets), (same, _) in zip(first, again, strict=True):
        assert pixels.shape == (12, 48, 48, 1)
        assert set(targets) == {"fer2013", "crowd"}
        np.testing.assert_array_equal(pixels, same)
    assert (first[0][0] != other[0][0]).any()
    shown = sum(targets["fer2013"].argmax(axis=1).tolist().count(3) for _, targets in first)
    assert shown == (pictures.labels == 3).sum()


def test_a_teacher_is_asked_about_every_varied_picture(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    recipe = replace(Recipe(), batch_size=12, view_share=0.75, label_smoothing=0)
    shown = []

    def teacher(varied: np.ndarray) -> np.ndarray:
        shown.append(varied)
        return np.eye(7, dtype=np.float32)[[6] * len(varied)]

    batches = Batches(pictures, targets_of(pictures, recipe), recipe, {"fer2013": teacher})
    for number, (pixels, targets) in enumerate(batches.of_epoch(0)):
        np.testing.assert_array_equal(pixels[..., 0], shown[number])
        assert (targets["fer2013"][:, 6] >= 0.75).all()
        np.testing.assert_allclose(targets["fer2013"].sum(axis=1), 1, atol=1e-6)
        assert (targets["crowd"][:, 6] < 0.75).any()


def test_a_picture_laid_over_another_has_both_their_targets() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (200, 48, 48), np.uint8)
    targets = {"crowd": np.eye(200, dtype=np.float32)}
    laid, both = mix_up(pixels, targets, 0.5, np.random.default_rng(1))
    weights = both["crowd"]
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    expected = np.einsum("ij,jhw->ihw", weights, pixels.astype(np.float32))
    np.testing.assert_allclose(laid, expected, atol=0.51)
    mixed = weights.max(axis=1) < 1
    assert 70 < mixed.sum() < 130
    np.testing.assert_array_equal(laid[~mixed], pixels[~mixed])
    own = weights[np.arange(200), np.arange(200)][mixed]
    assert own.min() < 0.1 < 0.4 < own.mean() < 0.6 < 0.9 < own.max()


def test_a_teacher_sees_laid_pictures_as_the_network_does(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    recipe = replace(Recipe(), batch_size=12, p_mixup=0.5, view_share=0.5, label_smoothing=0)
    shown = []

    def teacher(varied: np.ndarray) -> np.ndarray:
        shown.append(varied)
        return np.eye(7, dtype=np.float32)[[6] * len(varied)]

    batches = Batches(pictures, targets_of(pictures, recipe), recipe, {"crowd": teacher})
    again = list(batches.of_epoch(0))
    for number, (pixels, targets) in enumerate(batches.of_epoch(0)):
        np.testing.assert_array_equal(pixels, again[number][0])
        np.testing.assert_array_equal(pixels[..., 0], shown[number])
        assert (targets["crowd"][:, 6] >= 0.5).all()
    plain = Batches(pictures, batches.targets, replace(recipe, p_mixup=0.0), {})
    assert (next(iter(plain.of_epoch(0)))[0] != again[0][0]).any()


def test_items_are_prepared_one_ahead_and_in_order() -> None:
    second_prepared = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        second_prepared.set()
        yield 1
        raise ValueError("the third")

    taken = one_ahead(items())
    assert next(taken) == 0
    assert second_prepared.wait(60)
    assert next(taken) == 1
    with pytest.raises(ValueError, match="the third"):
        next(taken)


def test_weights_make_all_classes_count_alike_in_the_loss() -> None:
    labels = np.array([0] * 8 + [3] * 2)
    weights = class_weights(labels)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 3].sum())
    assert weights.mean() == pytest.approx(1)


def test_oversampling_shows_every_class_as_often(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    rare = np.flatnonzero((pictures.labels != 1) | (np.arange(len(pictures)) < 20))
    pictures = pictures.subset(np.isin(np.arange(len(pictures)), rare))
    recipe = replace(Recipe(), batch_size=7, balance="oversampling", label_smoothing=0)
    batches = Batches(pictures, targets_of(pictures, recipe), recipe)
    shown = np.concatenate([targets["fer2013"] for _, targets in batches.of_epoch(0)])
    counts = np.bincount(shown.argmax(axis=1))
    assert np.bincount(pictures.labels)[1] < 5
    assert counts.max() - counts.min() <= 7
