from __future__ import annotations

import numpy as np
import pytest

from device.camera.orientation import fit, orient

CORNERS = np.array([[1, 2], [3, 4]], np.uint8)


@pytest.mark.parametrize(
    ("rotate_deg", "mirror", "expected"),
    [
        (0, False, [[1, 2], [3, 4]]),
        (90, False, [[3, 1], [4, 2]]),
        (180, False, [[4, 3], [2, 1]]),
        (270, False, [[2, 4], [1, 3]]),
        (0, True, [[2, 1], [4, 3]]),
        (90, True, [[1, 3], [2, 4]]),
    ],
)
def test_turns_clockwise_then_mirrors(
    rotate_deg: int, mirror: bool, expected: list[list[int]]
) -> None:
    assert orient(CORNERS, rotate_deg, mirror).tolist() == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((480, 640), (480, 640)),
        ((48, 48), (48, 48)),  # small stays small
        ((1080, 1920, 3), (360, 640, 3)),
        ((4000, 100), (480, 12)),
        ((1, 100_000), (1, 640)),  # no side vanishes
    ],
)
def test_fits_into_the_working_size_in_proportion(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert fit(np.zeros(shape, np.uint8), 640, 480).shape == expected
