"""The sensor modes of a Jetson's CSI camera, as ``nvarguscamerasrc`` tells them when it starts.

It tells sizes and rates, not which part of the sensor a mode reads. A mode that bins pixels shows
all of it, and its size is the largest one's divided by a whole number; others show the middle:
1920 × 1080 of an IMX219 (Camera Module 2) is 59 % of the width and 44 % of the height.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MODE = re.compile(r"^GST_ARGUS: +(\d+) x (\d+) FR = ([\d.,]+) fps", re.M)
BINNED = 0.02  # relative: 1640 × 1232 is half of 3264 × 2464, as NVIDIA's drivers round
MAX_BINNING = 4


@dataclass(frozen=True)
class ArgusMode:
    """One mode: its number for ``sensor-mode``, size in px, and fastest rate."""

    number: int
    width: int
    height: int
    rate_hz: float

    def __str__(self) -> str:
        return (
            f"sensor mode {self.number}, {self.width} × {self.height} px, the whole field of view"
        )


def read_modes(said: str) -> list[ArgusMode]:
    """The modes in the order in which ``sensor-mode`` counts them.

    Args:
        said: what the child wrote on its standard output.
    """
    return [
        ArgusMode(number, int(width), int(height), float(rate.replace(",", ".")))
        for number, (width, height, rate) in enumerate(MODE.findall(said))
    ]


def choose_mode(
    modes: Sequence[ArgusMode], width: int, height: int, rate_hz: float
) -> ArgusMode | None:
    """The smallest mode with the whole view that is large and fast enough for the picture.

    Args:
        modes: what the sensor offers.
        width: px, of the picture.
        height: px.
        rate_hz: frames a second asked for.

    Returns:
        None when the sensor tells nothing about its modes.
    """
    if not modes:
        return None
    largest = max(modes, key=lambda mode: mode.width * mode.height)
    whole = [mode for mode in modes if _is_binned(mode, largest)]
    enough_hz = min(rate_hz, max(mode.rate_hz for mode in whole)) - 0.01  # 29.999999 is 30
    fast = [mode for mode in whole if mode.rate_hz >= enough_hz]
    large = [mode for mode in fast if mode.width >= width and mode.height >= height]
    return min(large or fast, key=lambda mode: mode.width * mode.height)


def _is_binned(mode: ArgusMode, largest: ArgusMode) -> bool:
    return any(
        abs(mode.width * n / largest.width - 1) < BINNED
        and abs(mode.height * n / largest.height - 1) < BINNED
        for n in range(1, MAX_BINNING + 1)
    )
