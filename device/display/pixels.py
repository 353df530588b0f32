"""From an RGB picture to the bytes a framebuffer wants."""

from __future__ import annotations

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


DEPTHS = (16, 32)  # bits a pixel
RGB565 = (Channel(11, 5), Channel(5, 6), Channel(0, 5))  # the usual 16 bits, which OpenCV knows


def require_supported(geometry: Geometry) -> None:
    """Finds out whether ``pack`` can fill such a framebuffer.

    Raises:
        ValueError: neither 16 nor 32 bits a pixel, or rows shorter than the picture.
    """
    if geometry.bits_per_pixel not in DEPTHS:
        raise ValueError(
            f"{geometry.bits_per_pixel} bits a pixel are not supported, 16 and 32 are; "
            "set the screen's depth in the boot settings"
        )
    if geometry.stride < geometry.width * geometry.bits_per_pixel // 8:
        raise ValueError(f"rows of {geometry.stride} bytes cannot hold {geometry.width} px")


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
    width, height, num_bytes = geometry.width, geometry.height, geometry.bits_per_pixel // 8
    require_supported(geometry)
    channels = (geometry.red, geometry.green, geometry.blue)
    rows = np.zeros((height, geometry.stride), np.uint8)
    pixels = rows[:, : width * num_bytes].reshape(height, width, num_bytes)  # a view
    if num_bytes == 4 and all(c.length == 8 and c.offset % 8 == 0 for c in channels):
        for number, channel in enumerate(channels):  # whole bytes, the lowest first
            pixels[..., channel.offset // 8] = image[..., number]
    elif num_bytes == 2 and channels == RGB565:
        pixels[:] = cv2.cvtColor(image, cv2.COLOR_RGB2BGR565)
    else:
        words = np.zeros((height, width, 1), f"<u{num_bytes}")
        for number, channel in enumerate(channels):  # the upper bits of a colour count
            table = np.arange(256) << 8 >> (16 - channel.length) << channel.offset
            words[..., 0] |= table.astype(words.dtype)[image[..., number]]
        pixels[:] = words.view(np.uint8)
    return rows
