"""Sensor modes as picamera2 lists them."""

from __future__ import annotations

from typing import Any

# size, frames a second, (x, y, width, height) of the sensor
MODULE_2 = [
    ((640, 480), 206.65, (1000, 752, 1280, 960)),
    ((1640, 1232), 41.85, (0, 0, 3280, 2464)),
    ((1920, 1080), 47.57, (680, 692, 1920, 1080)),
    ((3280, 2464), 21.19, (0, 0, 3280, 2464)),
]
MODULE_3 = [
    ((1536, 864), 120.13, (768, 432, 3072, 1728)),
    ((2304, 1296), 56.03, (0, 0, 4608, 2592)),
    ((4608, 2592), 14.35, (0, 0, 4608, 2592)),
]


def sensor_modes(*modes: Any, bit_depths: tuple[int, ...] = (10, 8)) -> list[dict[str, Any]]:
    return [
        {"format": f"SRGGB{bits}", "bit_depth": bits, "size": size, "fps": fps, "crop_limits": crop}
        for bits in bit_depths
        for size, fps, crop in modes
    ]
