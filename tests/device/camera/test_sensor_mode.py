from __future__ import annotations

from typing import Any

import pytest

from device.camera.sensor_mode import choose_view, read_modes
from tests.device.camera.sensors import MODULE_2, MODULE_3, sensor_modes


@pytest.mark.parametrize(
    ("modes", "asked", "rate_hz", "mode", "picture"),
    [
        (MODULE_2, (640, 480), 15, (1640, 1232), (640, 480)),
        (MODULE_2, (1920, 1080), 15, (3280, 2464), (1438, 1080)),
        (MODULE_2, (1920, 1080), 30, (1640, 1232), (1438, 1080)),  # fast enough, a little small
        (MODULE_2, (640, 480), 60, (1640, 1232), (640, 480)),  # the view counts more
        (MODULE_3, (640, 480), 15, (2304, 1296), (640, 360)),
        (MODULE_3, (480, 640), 15, (2304, 1296), (480, 270)),
        (MODULE_3, (1280, 720), 30, (2304, 1296), (1280, 720)),
    ],
)
def test_the_whole_sensor_is_seen_in_its_own_aspect(
    modes: list[Any],
    asked: tuple[int, int],
    rate_hz: float,
    mode: tuple[int, int],
    picture: tuple[int, int],
) -> None:
    view = choose_view(read_modes(sensor_modes(*modes)), *asked, rate_hz)
    assert view is not None
    assert (view.mode.width, view.mode.height, view.mode.bit_depth) == (*mode, 10)
    assert (view.width, view.height) == picture
    assert view.width_share > 0.98
    assert view.height_share > 0.98


def test_a_sensor_that_can_only_crop_says_how_much_is_seen() -> None:
    modes = [((640, 480), 90, (0, 0, 2592, 1944)), ((1920, 1080), 30, (336, 432, 1920, 1080))]
    view = choose_view(read_modes(sensor_modes(*modes)), 640, 480, 15)
    assert str(view) == (
        "640x480 px of sensor mode 640x480, 100% of the sensor's width and 100% of its height"
    )
    narrow = choose_view(read_modes(sensor_modes(MODULE_2[0])), 640, 360, 15)
    assert narrow is not None
    assert (narrow.width, narrow.height) == (480, 360)


def test_a_sensor_without_raw_modes_leaves_the_choice_to_the_driver() -> None:
    assert read_modes([{"format": "YUYV"}]) == []
    assert choose_view([], 640, 480, 15) is None
