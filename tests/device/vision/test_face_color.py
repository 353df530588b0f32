from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.vision.face_color import FACE, LUMA, MOUTH, FaceColor, inside
from device.vision.paste_back import paste_back
from device.vocabulary import Image

ONES = np.ones((48, 48), np.float32)


def face() -> Image:
    """(48, 48, 3) RGB: skin with a shadow, dark red lips, hair around them."""
    light = np.linspace(0.75, 1.0, 48)[None, :, None]
    picture = np.full((48, 48, 3), (60, 40, 30)) * np.ones_like(light)
    picture[inside(FACE)] = (np.full((48, 48, 3), (220, 170, 140)) * light)[inside(FACE)]
    picture[lips()] = (np.full((48, 48, 3), (150, 50, 60)) * light)[lips()]
    return picture.astype(np.uint8)


def lips() -> npt.NDArray[np.bool_]:
    x, y, half_width, half_height = MOUTH
    return inside((x, y, half_width - 2, half_height - 4))


def redness(pixels: npt.NDArray[np.uint8]) -> float:
    return float(pixels[..., 0].astype(int).mean() - pixels[..., 1].astype(int).mean())


def test_what_becomes_as_bright_as_skin_takes_its_colour_and_stays_as_bright() -> None:
    picture = face()
    brighter = np.clip(picture + 90.0, 0, 255)
    brighter[~lips()] = picture[~lips()]
    painted = brighter.astype(np.uint8)
    before, luma = redness(painted[lips()]), painted[lips()] @ LUMA
    FaceColor.of(picture).paint(painted, ONES, inside(MOUTH).astype(np.float32))
    assert before > 80  # teeth would glow red
    assert 20 < redness(painted[lips()]) < 60
    np.testing.assert_allclose(painted[lips()] @ LUMA, luma, atol=2)


def test_lips_stay_red_and_what_is_black_has_no_colour() -> None:
    picture = face()
    color = FaceColor.of(picture)
    same = picture.copy()
    color.paint(same, ONES, inside(MOUTH).astype(np.float32))
    assert redness(same[lips()]) > 0.7 * redness(picture[lips()])
    black = np.full((48, 48, 3), (12, 0, 0), np.uint8)
    color.paint(black, ONES, ONES)
    assert np.ptp(black, axis=2).max() <= 5


def test_what_is_not_painted_and_what_is_grey_stays() -> None:
    picture = face()
    color = FaceColor.of(picture)
    kept = picture.copy()
    color.paint(kept, 0 * ONES, ONES)
    np.testing.assert_array_equal(kept, picture)
    grey = np.repeat(picture[..., :1], 3, axis=2)
    kept = grey.copy()
    FaceColor.of(grey).paint(kept, ONES, ONES)
    np.testing.assert_array_equal(kept, grey)


def test_teeth_painted_over_lips_are_not_red() -> None:
    picture = face()
    crop = (picture @ LUMA).astype(np.uint8)
    view = np.eye(2, 3)
    made = crop.copy()
    made[lips()] = 160
    result = paste_back(picture, view, crop, made, np.zeros((48, 48, 2), np.float32))
    core = inside((MOUTH[0], MOUTH[1], 6, 2))
    assert (result[core] @ LUMA).mean() > (picture[core] @ LUMA).mean() + 40
    assert redness(result[core]) < 0.75 * redness(picture[core])
    np.testing.assert_array_equal(result[:20], picture[:20])
