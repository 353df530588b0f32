from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.drawn import draw
from training.data.augmentation import Augmentation, augment

NOTHING = Augmentation(
    rotation_deg=0, scale=0, shift_px=0, brightness=0, contrast=0,
    p_low_resolution=0, p_blur=0, p_dark=0, p_noise=0, p_erasing=0,
)  # fmt: skip


def left_bright(count: int) -> np.ndarray:
    pixels = np.full((count, 48, 48), 20, np.uint8)
    pixels[:, :, :12] = 220
    return pixels


def test_same_seed_same_pictures() -> None:
    pixels = np.stack([draw(kind, np.random.default_rng(kind)) for kind in range(7)])
    before = pixels.copy()
    first = augment(pixels, Augmentation(), np.random.default_rng(5))
    second = augment(pixels, Augmentation(), np.random.default_rng(5))
    other = augment(pixels, Augmentation(), np.random.default_rng(6))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    np.testing.assert_array_equal(pixels, before)
    assert first.dtype == np.uint8
    assert first.shape == pixels.shape


def test_half_are_mirrored_and_nothing_else_happens_when_all_is_off() -> None:
    pixels = left_bright(400)
    varied = augment(pixels, NOTHING, np.random.default_rng(0))
    kept = (varied == pixels).all(axis=(1, 2))
    mirrored = (varied == pixels[:, :, ::-1]).all(axis=(1, 2))
    assert (kept | mirrored).all()
    assert 150 < mirrored.sum() < 250


def test_each_change_is_seen() -> None:
    pixels = left_bright(200)
    plain = augment(pixels, NOTHING, np.random.default_rng(0))
    for change in (
        {"rotation_deg": 10.0},
        {"scale": 0.2},
        {"shift_px": 3.0},
        {"brightness": 30.0},
        {"contrast": 0.3},
        {"p_low_resolution": 1.0},
        {"p_blur": 1.0},
        {"p_dark": 1.0},
        {"p_noise": 1.0, "noise": 20.0},
        {"p_erasing": 1.0},
    ):
        varied = augment(pixels, replace(NOTHING, **change), np.random.default_rng(0))
        assert (varied != plain).any(axis=(1, 2)).mean() > 0.9, change


def test_brightness_does_not_wrap_around() -> None:
    bright = np.full((50, 48, 48), 250, np.uint8)
    varied = augment(bright, replace(NOTHING, brightness=30.0), np.random.default_rng(0))
    assert varied.min() > 120
