"""Faces are moved where the action units say, and nowhere else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from training.data.action_units import (
    BROWS_INNER,
    CHIN,
    CORNERS,
    SIDE_PX,
    UNITS,
    Head,
    back_to_crop,
    displace,
    find_head,
    pose,
)

EYE_POINTS = {33: -0.65, 133: -0.35, 362: 0.35, 263: 0.65}


def drawn_mesh() -> npt.NDArray[np.float32]:
    """(468, 2) of a face in face coordinates: only the points that the units name matter."""
    mesh = np.zeros((468, 2), np.float32)
    for point, x in EYE_POINTS.items():
        mesh[point] = (x, 0.0)
    for side, sign in ((0, -1), (1, 1)):
        mesh[BROWS_INNER[side]] = (sign * 0.25, -0.3)
        mesh[CORNERS[side]] = (sign * 0.4, 1.0)
    mesh[CHIN] = (0.0, 1.5)
    return mesh


def head() -> Head:
    """A textured picture whose eyes are 60 px apart."""
    random = np.random.default_rng(0)
    picture = random.integers(60, 200, (SIDE_PX, SIDE_PX)).astype(np.uint8)
    points = drawn_mesh() * 60 + np.array([96, 80], np.float32)
    return Head(picture, points, np.array([[4.0, 0, 0], [0, 4.0, 0]], np.float32))


@pytest.mark.parametrize(
    ("unit", "points", "axis", "signs"),
    [
        ("AU4", BROWS_INNER, 1, (1, 1)),  # brows go down ...
        ("AU4", BROWS_INNER, 0, (1, -1)),  # ... and together
        ("AU1", BROWS_INNER, 1, (-1, -1)),
        ("AU12", CORNERS, 1, (-1, -1)),  # a smile goes up ...
        ("AU12", CORNERS, 0, (-1, 1)),  # ... and apart
        ("AU15", CORNERS, 1, (1, 1)),
        ("AU20", CORNERS, 0, (-1, 1)),
    ],
)
def test_a_unit_moves_its_points(
    unit: str, points: tuple[int, int], axis: int, signs: tuple[int, int]
) -> None:
    mesh = drawn_mesh()
    moved = displace({unit: 1.0}, mesh, mesh[list(points)])
    assert tuple(np.sign(moved[:, axis])) == signs
    assert 0.02 < abs(moved[0, axis]) < 0.2


def test_strength_scales_the_movement_and_none_moves_nothing() -> None:
    mesh = drawn_mesh()
    once, twice = (displace({"AU15": s}, mesh, mesh) for s in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)
    assert not displace(dict.fromkeys(UNITS, 0.0), mesh, mesh).any()


def test_an_unknown_unit_is_an_error() -> None:
    with pytest.raises(KeyError):
        displace({"AU99": 1.0}, drawn_mesh(), drawn_mesh())


def test_the_mouth_moves_and_the_forehead_stays() -> None:
    face = head()
    posed = pose(face, {"AU15": 1.5})
    change = np.abs(posed.astype(int) - face.picture.astype(int))
    assert change[130:160].mean() > 5
    assert change[:20].max() <= 1


def test_a_face_at_rest_comes_back_as_it_was() -> None:
    crop = np.random.default_rng(1).integers(0, 255, (48, 48)).astype(np.uint8)
    face = head()
    assert (back_to_crop(face, pose(face, {}), crop) == crop).all()


def test_no_head_where_the_mesh_model_is_unsure() -> None:
    crop = np.zeros((48, 48), np.uint8)
    assert find_head(lambda picture: (drawn_mesh() * 60 + 96, 1.0), crop) is None
    assert find_head(lambda picture: (drawn_mesh() * 60 + 96, 9.0), crop) is not None
    assert find_head(lambda picture: (drawn_mesh() + 96, 9.0), crop) is None  # a speck
