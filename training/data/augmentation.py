"""Random variation of training pictures: what cameras do to faces, cheap enough for one core.

One affine map does rotation, scaling, cropping and shift; then flip, light, resolution, noise
and erasing. All numbers are drawn from the generator that is handed in, so a seed repeats a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

UInt8Pictures = npt.NDArray[np.uint8]  # (n, 48, 48)


@dataclass(frozen=True)
class Augmentation:
    """How far pictures are varied; ``p_x`` is the share of pictures that x happens to.

    Attributes:
        rotation_deg: standard deviation of the rotation.
        scale: standard deviation of the logarithm of the scale (above 0 crops).
        shift_px: standard deviation of the shift in each direction.
        brightness: grey levels, standard deviation.
        contrast: standard deviation of the logarithm of the contrast.
        p_flip: mirrored, left and right exchanged.
        p_low_resolution: brought down to 20 to 40 px and up again, as distant faces are.
        p_blur: out of focus, a Gaussian of up to ``blur_px``.
        p_dark: with a half to a fifth of the light.
        p_noise: with Gaussian noise of up to ``noise`` grey levels.
        p_erasing: with a rectangle of up to a quarter of the picture made grey.
    """

    rotation_deg: float = 9.0
    scale: float = 0.1
    shift_px: float = 2.5
    brightness: float = 20.0
    contrast: float = 0.2
    p_flip: float = 0.5
    p_low_resolution: float = 0.15
    p_blur: float = 0.15
    blur_px: float = 1.6
    p_dark: float = 0.05
    p_noise: float = 0.2
    noise: float = 12.0
    p_erasing: float = 0.3


KINDS: dict[str, dict[str, float]] = {  # what switches a kind of variation off
    "rotation": {"rotation_deg": 0.0},
    "scale": {"scale": 0.0},
    "shift": {"shift_px": 0.0},
    "flip": {"p_flip": 0.0},
    "light": {"brightness": 0.0, "contrast": 0.0, "p_dark": 0.0},
    "low-resolution": {"p_low_resolution": 0.0},
    "blur": {"p_blur": 0.0},
    "noise": {"p_noise": 0.0},
    "erasing": {"p_erasing": 0.0},
}


def without(settings: Augmentation, kinds: Iterable[str]) -> Augmentation:
    """The variation less some of its ``KINDS``."""
    for kind in kinds:
        settings = replace(settings, **KINDS[kind])
    return settings


def augment(
    pictures: UInt8Pictures, settings: Augmentation, random: np.random.Generator
) -> UInt8Pictures:
    """Varies each picture.

    Args:
        pictures: (n, 48, 48) uint8; left as they are.
        settings: how far.
        random: where the numbers come from.

    Returns:
        (n, 48, 48) uint8, new.
    """
    count, side = len(pictures), pictures.shape[1]
    maps = affine_maps(count, side, settings, random)
    low = random.random(count) < settings.p_low_resolution
    low_sides = random.integers(side * 5 // 12, side * 5 // 6, count)
    blurs = random.uniform(settings.blur_px / 4, settings.blur_px, count) * (
        random.random(count) < settings.p_blur
    )
    varied = np.empty(pictures.shape, np.float32)
    for index, picture in enumerate(pictures):
        moved = cv2.warpAffine(picture, maps[index], (side, side), flags=cv2.INTER_LINEAR,
                               borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        if blurs[index]:
            moved = cv2.GaussianBlur(moved, (0, 0), float(blurs[index]))
        varied[index] = lower_resolution(moved, int(low_sides[index])) if low[index] else moved
    gain = np.exp(random.normal(0, settings.contrast, (count, 1, 1))).astype(np.float32)
    offset = random.normal(0, settings.brightness, (count, 1, 1)).astype(np.float32)
    mean = varied.mean(axis=(1, 2), keepdims=True)
    varied = (varied - mean) * gain + mean + offset
    dark = np.flatnonzero(random.random(count) < settings.p_dark)
    varied[dark] *= random.uniform(0.2, 0.5, (len(dark), 1, 1)).astype(np.float32)
    add_noise(varied, settings, random)
    erase(varied, settings, random)
    return np.clip(varied, 0, 255).astype(np.uint8)


def affine_maps(
    count: int, side: int, settings: Augmentation, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """(count, 2, 3) maps: flip, rotation, scale and shift around the picture's centre."""
    angle = np.deg2rad(random.normal(0, settings.rotation_deg, count))
    scale = np.exp(random.normal(0, settings.scale, count))
    flip = np.where(random.random(count) < settings.p_flip, -1.0, 1.0)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.stack([np.stack([cos * flip, sin], -1), np.stack([-sin * flip, cos], -1)], 1)
    center = np.full(2, (side - 1) / 2)
    shift = random.normal(0, settings.shift_px, (count, 2))
    return np.concatenate([linear, (center + shift - linear @ center)[:, :, None]], axis=2)


def lower_resolution(picture: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The picture as if it had been ``side`` px wide."""
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.uint8)


def add_noise(
    varied: npt.NDArray[np.float32], settings: Augmentation, random: np.random.Generator
) -> None:
    """Adds Gaussian noise to some pictures, in place."""
    noisy = np.flatnonzero(random.random(len(varied)) < settings.p_noise)
    strength = random.uniform(0, settings.noise, (len(noisy), 1, 1)).astype(np.float32)
    noise = random.standard_normal((len(noisy), *varied.shape[1:]), dtype=np.float32)
    varied[noisy] += noise * strength


def erase(
    varied: npt.NDArray[np.float32], settings: Augmentation, random: np.random.Generator
) -> None:
    """Covers a rectangle of some pictures with one grey, in place."""
    side = varied.shape[1]
    for index in np.flatnonzero(random.random(len(varied)) < settings.p_erasing):
        height, width = random.integers(side // 8, side // 2, 2)
        top, left = random.integers(0, side - height), random.integers(0, side - width)
        varied[index, top : top + height, left : left + width] = random.uniform(0, 255)
