"""Differentiable augmentation of what a critic sees (Zhao et al., 2020).

The generator looks for patterns that please the critics. Moved, turned, lit and partly covered
at random before every look, only what a face really shows pleases them every time.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

CRITIC_STRENGTH = 0.25  # more, and the critic is the last to see that a brow is painted


def vary(faces: tf.Tensor, seed: keras.random.SeedGenerator) -> tf.Tensor:
    """What a critic sees, real and fake alike: a little of everything in ``augment``."""
    return augment(faces, seed, CRITIC_STRENGTH)


def augment(faces: tf.Tensor, seed: keras.random.SeedGenerator, strength: float = 1.0) -> tf.Tensor:
    """Shifts, scales, turns, mirrors, relights and covers each face differently.

    Args:
        faces: (N, 48, 48, 1) float32 in -1..1.
        seed: source of the random numbers.
        strength: 0 for none, 1 for all.

    Returns:
        Faces of the same shape; may leave -1..1 a little.
    """
    if strength == 0:
        return faces
    return cover(relight(move(faces, seed, strength), seed, strength), seed, strength)


def move(faces: tf.Tensor, seed: keras.random.SeedGenerator, strength: float) -> tf.Tensor:
    """Up to 4 px of shift, 10 % of size, 0.2 rad of turn, and mirrors half of the faces."""
    n, side = ops.shape(faces)[0], faces.shape[1]
    shift = uniform(seed, (n, 2), 4.0 * strength)
    scale = 1.0 + uniform(seed, (n,), 0.1 * strength)
    turn = uniform(seed, (n,), 0.2 * strength)
    mirror = ops.sign(keras.random.uniform((n,), -1.0, 1.0, seed=seed))
    cosine, sine = ops.cos(turn) * scale, ops.sin(turn) * scale
    middle = (side - 1) / 2
    a0, a1, b0, b1 = cosine * mirror, -sine, sine * mirror, cosine
    a2 = middle - a0 * middle - a1 * middle + shift[:, 0]
    b2 = middle - b0 * middle - b1 * middle + shift[:, 1]
    zero = ops.zeros_like(turn)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=faces,
        transforms=ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1),
        output_shape=tf.constant([side, side]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def relight(faces: tf.Tensor, seed: keras.random.SeedGenerator, strength: float) -> tf.Tensor:
    """Brightness by up to 0.3 of the range -1..1, contrast by up to 30 %, and a little noise."""
    shape = (ops.shape(faces)[0], 1, 1, 1)
    mean = ops.mean(faces, axis=(1, 2, 3), keepdims=True)
    contrast = 1.0 + uniform(seed, shape, 0.3 * strength)
    noise = keras.random.normal(ops.shape(faces), stddev=0.04 * strength, seed=seed)
    return (faces - mean) * contrast + mean + uniform(seed, shape, 0.3 * strength) + noise


def cover(faces: tf.Tensor, seed: keras.random.SeedGenerator, strength: float) -> tf.Tensor:
    """Covers a square of a quarter of the side, anywhere, in three quarters of the faces."""
    n, side = ops.shape(faces)[0], faces.shape[1]
    centre = keras.random.uniform((n, 2, 1), 0.0, float(side), seed=seed)
    shown = keras.random.uniform((n, 1), seed=seed) < 1.0 - 0.75 * strength
    near = ops.abs(ops.arange(side, dtype="float32")[None, None] - centre) < side / 8
    inside = ops.logical_and(near[:, 0, :, None], near[:, 1, None, :])
    keep = ops.logical_or(ops.logical_not(inside), shown[:, :, None])
    return faces * ops.cast(keep, faces.dtype)[..., None]


def uniform(seed: keras.random.SeedGenerator, shape: tuple[Any, ...], reach: float) -> tf.Tensor:
    """Uniform numbers between ``-reach`` and ``reach``."""
    return keras.random.uniform(shape, -reach, reach, seed=seed)
