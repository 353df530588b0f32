"""From an RGB picture to the bytes a framebuffer wants."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from device.vocabulary import Image


@dataclass(frozen=True)
class Channel:
    """Where one colour lies in a pixel: lowest bit and number of bits."""

    offset: int
    length: int


@dataclass(frozen=True)
class Geometry:
    """A framebuffer as the kernel describes it.

    Attributes:
        width: visible px.
        height: visible px.
        stride: bytes from one row to the next, at least width × bytes per pixel.
        bits_per_pixel: 16 or 32.
        red: its place in the pixel.
        green: its place in the pixel.
        blue: its place in the pixel.
        start: byte offset of the visible part.
    """

    width: int
    height: int
    stride: int
    bits_per_pixel: int
    red: Channel
    green: Channel
    blue: Channel
    start: int = 0


RGB565 = (Channel(11, 5), Channel(5, 6), Channel(0, 5))  # the usual 16 bits, which OpenCV knows


def pack(image: Image, geometry: Geometry) -> npt.NDArray[np.uint8]:
    """The picture in the framebuffer's layout; the padding of each row is zero.

    Args:
        image: (height, width, 3) uint8 RGB.
        geometry: of the same size.

    Returns:
        (height, stride) uint8.

    Raises:
        ValueError: neither 16 nor 32 bits a pixel, or rows shorter than the picture.
    """
    if geometry.bits_per_pixel not in (16, 32):
        raise ValueError(
            f"{geometry.bits_per_pixel} bits a pixel are not supported, 16 and 32 are; "
            "set the screen's depth in the boot settings"
        )
    num_bytes = geometry.bits_per_pixel // 8
    used = geometry.width * num_bytes
    if geometry.stride < used:
        raise ValueError(f"rows of {geometry.stride} bytes cannot hold {geometry.width} px")
    channels = (geometry.red, geometry.green, geometry.blue)
    rows = np.zeros((geometry.height, geometry.stride), np.uint8)
    if num_bytes == 4 and all(c.length == 8 and c.offset % 8 == 0 for c in channels):
        places = rows[:, :used].reshape(geometry.height, geometry.width, 4)
        for number, channel in enumerate(channels):  # whole bytes: no arithmetic needed
            places[..., _byte(channel)] = image[..., number]
        return rows
    if num_bytes == 2 and channels == RGB565:
        packed = cv2.cvtColor(image, cv2.COLOR_RGB2BGR565)  # (height, width, 2)
        rows[:, :used] = packed.reshape(geometry.height, used)
        return rows
    word = np.uint16 if num_bytes == 2 else np.int32  # the words that OpenCV's LUT knows
    red, green, blue = (
        cv2.LUT(plane, _table(channel).astype(word))
        for plane, channel in zip(cv2.split(image), channels, strict=True)
    )
    pixels = cv2.bitwise_or(cv2.bitwise_or(red, green), blue)
    rows[:, :used] = np.ascontiguousarray(pixels).view(np.uint8)
    return rows


def _table(channel: Channel) -> npt.NDArray[np.int64]:
    """A channel's bits in the pixel for each of its 256 values: the upper bits count."""
    return np.arange(256) << 8 >> (16 - channel.length) << channel.offset


def _byte(channel: Channel) -> int:
    """Which byte of a 32-bit pixel in memory."""
    number = channel.offset // 8
    return number if sys.byteorder == "little" else 3 - number
