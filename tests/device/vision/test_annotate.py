from __future__ import annotations

import numpy as np
import pytest

from device.vision.annotate import CERTAIN, POINT, UNCERTAIN, draw
from device.vocabulary import BoundingBox, Classification, Face

HAPPY = np.array([0, 0, 0, 0.9, 0.1, 0, 0], np.float32)


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((image == np.array(colour, np.uint8)).all(axis=-1).any())


def test_draws_on_a_copy_and_makes_grey_colour() -> None:
    grey = np.zeros((120, 160), np.uint8)
    answer = Classification(Face(BoundingBox(40, 40, 90, 90), 1), HAPPY)
    drawn = draw(grey, [answer])
    assert drawn.shape == (120, 160, 3)
    assert not grey.any()
    assert tuple(drawn[90, 60]) == CERTAIN


def test_points_and_doubt_have_their_colours() -> None:
    points = np.array([[50, 60], [80, 60], [65, 70], [55, 80], [75, 80]], np.float32)
    face = Face(BoundingBox(40, 40, 90, 90), 1, landmarks=points, rejection_reason="blurred")
    drawn = draw(np.zeros((120, 160, 3), np.uint8), [Classification(face, HAPPY)])
    assert has(drawn, POINT)
    assert has(drawn, UNCERTAIN)
    assert not has(drawn, CERTAIN)


@pytest.mark.parametrize("box", [(-20, -20, 30, 30), (150, 100, 400, 300), (0, 0, 160, 120)])
def test_a_face_at_the_border_keeps_its_name_in_the_picture(box: tuple[int, ...]) -> None:
    answer = Classification(Face(BoundingBox(*box), 1, track_id=7), HAPPY)
    drawn = draw(np.full((120, 160, 3), 255, np.uint8), [answer])
    dark = (drawn == 20).all(axis=-1)
    assert dark.sum() > 300  # the strip behind the name


def test_no_faces_leave_the_picture_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(draw(picture, []), picture)
