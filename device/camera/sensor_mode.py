"""Which mode of a CSI sensor is used, and how much of the sensor the picture then shows.

A sensor mode is a size that the sensor reads out, and some modes read only its middle. Left
alone, libcamera takes the mode nearest to the picture's size: for 640 × 480 px on Camera
Module 2 one that sees 39 % of the width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WHOLE = 0.98  # of the widest mode's width and height: modes are rounded to a few pixels
SAME_ASPECT = 0.02  # a smaller difference is cropped by the driver instead of changing the size


@dataclass(frozen=True)
class SensorMode:
    """One mode: output size in px, bits a pixel, and the part of the sensor it reads in px."""

    width: int
    height: int
    bit_depth: int
    rate_hz: float
    crop_width: int
    crop_height: int

    @property
    def area_seen(self) -> int:
        """Of the sensor, px."""
        return self.crop_width * self.crop_height


@dataclass(frozen=True)
class View:
    """What to ask of the driver, and what it then shows.

    ``width`` × ``height`` is the picture in px; the shares are of the sensor's sides, 0..1.
    """

    mode: SensorMode
    width: int
    height: int
    width_share: float
    height_share: float

    def __str__(self) -> str:
        """For people."""
        return (
            f"{self.width}x{self.height} px of sensor mode {self.mode.width}x{self.mode.height}, "
            f"{self.width_share:.0%} of the sensor's width and {self.height_share:.0%} of its height"
        )


def read_modes(modes: Sequence[Mapping[str, Any]]) -> list[SensorMode]:
    """The raw modes among ``Picamera2.sensor_modes``; others don't say what they crop."""
    found = []
    for mode in modes:
        if {"size", "bit_depth", "fps", "crop_limits"} <= mode.keys():
            (width, height), (_, _, *crop) = mode["size"], mode["crop_limits"]
            found.append(SensorMode(width, height, mode["bit_depth"], float(mode["fps"]), *crop))
    return found


def choose_view(
    modes: Sequence[SensorMode], width: int, height: int, rate_hz: float
) -> View | None:
    """The mode with the widest view, and the largest picture of its aspect that fits.

    The view counts more than the rate: a face that the picture leaves out is never found.
    Among the modes with the whole view the smallest counts that is large and fast enough.

    Args:
        modes: what the sensor offers.
        width: px, at most.
        height: px, at most.
        rate_hz: frames a second asked for.

    Returns:
        None when the sensor tells nothing about its modes.
    """
    if not modes:
        return None
    widest = max(mode.area_seen for mode in modes)
    whole = [mode for mode in modes if mode.area_seen >= WHOLE * widest]
    enough_hz = min(rate_hz, max(mode.rate_hz for mode in whole))
    fast = [mode for mode in whole if mode.rate_hz >= enough_hz]
    large = [mode for mode in fast if mode.width >= width and mode.height >= height]
    mode = min(large or fast, key=lambda m: (m.width * m.height, -m.bit_depth))
    asked, aspect = width / height, mode.crop_width / mode.crop_height
    if abs(asked / aspect - 1) > SAME_ASPECT:
        width, height = _even(min(width, height * aspect)), _even(min(height, width / aspect))
    shown = width / height  # the driver crops the sides that are too long for this
    seen_width = min(mode.crop_width, mode.crop_height * shown)
    seen_height = min(mode.crop_height, mode.crop_width / shown)
    sensor_width = max(mode.crop_width for mode in modes)
    sensor_height = max(mode.crop_height for mode in modes)
    return View(mode, width, height, seen_width / sensor_width, seen_height / sensor_height)


def _even(side_px: float) -> int:
    """YUV420 shares its colour among pairs of pixels."""
    return max(2, 2 * round(side_px / 2))
