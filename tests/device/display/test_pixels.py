from __future__ import annotations

import sys

import numpy as np
import pytest

from device.display.pixels import RGB565, Channel, Geometry, pack

XRGB = (Channel(16, 8), Channel(8, 8), Channel(0, 8))
XBGR = (Channel(0, 8), Channel(8, 8), Channel(16, 8))
DEEP = (Channel(20, 10), Channel(10, 10), Channel(0, 10))  # XRGB2101010

IMAGE = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[1, 2, 3], [8, 4, 8], [255] * 3]], np.uint8
)


def words(channels: tuple[Channel, Channel, Channel], bits: int, stride: int) -> list[list[int]]:
    """The pixels as numbers in the machine's own byte order, read back without numpy views."""
    rows = pack(IMAGE, Geometry(3, 2, stride, bits, *channels))
    assert rows.shape == (2, stride)
    used, size = 3 * bits // 8, bits // 8
    assert not rows[:, used:].any(), "the padding of a row was written"
    order = sys.byteorder
    return [
        [int.from_bytes(row[n : n + size].tobytes(), order) for n in range(0, used, size)]
        for row in rows
    ]


@pytest.mark.parametrize("stride", [12, 13, 16, 64])
def test_32_bit_red_on_top(stride: int) -> None:
    assert words(XRGB, 32, stride) == [
        [0xFF0000, 0x00FF00, 0x0000FF],
        [0x010203, 0x080408, 0xFFFFFF],
    ]


def test_32_bit_blue_on_top() -> None:
    assert words(XBGR, 32, 17)[0] == [0x0000FF, 0x00FF00, 0xFF0000]


@pytest.mark.parametrize("stride", [6, 7, 8, 32])
def test_16_bit_keeps_the_upper_bits(stride: int) -> None:
    assert words(RGB565, 16, stride) == [[0xF800, 0x07E0, 0x001F], [0x0000, 0x0821, 0xFFFF]]


def test_16_bit_blue_on_top() -> None:
    assert words(RGB565[::-1], 16, 8)[0] == [0x001F, 0x07E0, 0xF800]  # type: ignore[arg-type]


def test_10_bits_a_channel() -> None:
    assert words(DEEP, 32, 12)[1] == [
        (4 << 20) | (8 << 10) | 12,
        (32 << 20) | (16 << 10) | 32,
        1020 << 20 | 1020 << 10 | 1020,
    ]


def test_other_depths_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="24 bits a pixel are not supported, 16 and 32 are"):
        pack(IMAGE, Geometry(3, 2, 9, 24, *XRGB))


def test_rows_that_are_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of 11 bytes cannot hold 3 px"):
        pack(IMAGE, Geometry(3, 2, 11, 32, *XRGB))
