from __future__ import annotations

import numpy as np
import pytest

from device.vision.preprocess import crop_face
from device.vocabulary import BoundingBox, Face


@pytest.mark.parametrize(("x", "y"), [(-60, 20), (20, -60), (-60, -60), (160, 20), (20, 160)])
def test_a_box_beyond_the_picture_gives_a_blank_crop(x: float, y: float) -> None:
    image = np.full((100, 100), 200, np.uint8)
    crop = crop_face(image, Face(BoundingBox(x, y, x + 20, y + 20), 1.0))
    assert crop.shape == (48, 48)
    assert not crop.any()


@pytest.mark.parametrize(("x", "y"), [(-10, 20), (20, -10), (90, 90), (-10, -10)])
def test_a_box_over_the_border_repeats_the_border(x: float, y: float) -> None:
    image = np.full((100, 100), 200, np.uint8)
    crop = crop_face(image, Face(BoundingBox(x, y, x + 20, y + 20), 1.0))
    assert (crop == 200).all()
