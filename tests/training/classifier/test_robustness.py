from __future__ import annotations

import numpy as np

from tests.training.drawn import draw
from training.classifier.robustness import CONDITIONS


def test_every_condition_changes_the_pictures_and_repeats_itself() -> None:
    pixels = np.stack([draw(kind, np.random.default_rng(kind)) for kind in range(7)])
    before = pixels.copy()
    for name, change in CONDITIONS.items():
        changed = change(pixels)
        assert changed.shape == pixels.shape, name
        assert changed.dtype == np.uint8, name
        assert (changed == pixels).all() == (name == "as published")
        np.testing.assert_array_equal(changed, change(pixels))
    np.testing.assert_array_equal(pixels, before)


def test_a_quarter_of_the_light_is_a_quarter() -> None:
    pixels = np.full((4, 48, 48), 200, np.uint8)
    assert abs(CONDITIONS["a quarter of the light"](pixels).mean() - 50) < 1
