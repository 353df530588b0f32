"""The same pictures, made worse as webcams make them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from training.data.augmentation import lower_resolution

Pixels = npt.NDArray[np.uint8]  # (n, 48, 48)


def each(pixels: Pixels, change: Callable[[Pixels], Pixels]) -> Pixels:
    """Applies a change to every picture."""
    return np.stack([change(picture) for picture in pixels])


def blurred(pixels: Pixels) -> Pixels:
    """Out of focus: Gaussian of 1.5 px."""
    return each(pixels, lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), 1.5), np.uint8))


def dark(pixels: Pixels) -> Pixels:
    """A quarter of the light, with the noise that a sensor then has."""
    noise = np.random.default_rng(1).normal(0, 4, pixels.shape)
    return np.clip(pixels * 0.25 + noise, 0, 255).astype(np.uint8)


def noisy(pixels: Pixels) -> Pixels:
    """Gaussian noise of 15 grey levels."""
    noise = np.random.default_rng(2).normal(0, 15, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def small(pixels: Pixels) -> Pixels:
    """Faces of 24 px."""
    return each(pixels, lambda picture: lower_resolution(picture, 24))


def tilted(pixels: Pixels) -> Pixels:
    """Heads leaning 15° to either side in turn."""
    return moved(pixels, angle_deg=15, scale=1.0, shift_px=0)


def jittered(pixels: Pixels) -> Pixels:
    """A detector's box off by 3 px and a tenth too large or too small."""
    return moved(pixels, angle_deg=0, scale=1.1, shift_px=3)


def moved(pixels: Pixels, angle_deg: float, scale: float, shift_px: float) -> Pixels:
    """Rotates, scales and shifts; the sign changes from picture to picture."""
    center = ((pixels.shape[2] - 1) / 2, (pixels.shape[1] - 1) / 2)
    result = []
    for number, picture in enumerate(pixels):
        sign = 1 if number % 2 else -1
        matrix = cv2.getRotationMatrix2D(center, sign * angle_deg, scale**sign)
        matrix[:, 2] = matrix[:, 2] + sign * shift_px
        size = (pixels.shape[2], pixels.shape[1])
        result.append(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(result).astype(np.uint8)


CONDITIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "as published": lambda pixels: pixels,
    "blurred (1.5 px)": blurred,
    "a quarter of the light": dark,
    "noise (15 levels)": noisy,
    "24 px faces": small,
    "tilted by 15°": tilted,
    "box off by 3 px, 10 %": jittered,
}
