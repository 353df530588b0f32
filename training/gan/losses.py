"""Losses and penalties that StarGAN and its baselines share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from device.vocabulary import EXPRESSIONS

SSIM_SIDE_PX, SSIM_SIGMA_PX = 11, 1.5  # of the window, as Wang et al. have it
SSIM_K1, SSIM_K2 = 0.01, 0.03


def one_hot(classes: tf.Tensor) -> tf.Tensor:
    """Class numbers (N,) to float32 (N, 7)."""
    return ops.one_hot(classes, len(EXPRESSIONS), dtype="float32")


def update(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: list[Any],
) -> None:
    """One step of one player."""
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def cross_entropy(classes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of (N, 7) logits, float32."""
    return ops.mean(keras.losses.sparse_categorical_crossentropy(classes, logits, from_logits=True))


def mean_over_scales(values: list[Any]) -> tf.Tensor:
    """Mean of one scalar for each head of each scale."""
    return sum(values) / len(values)


def told_apart_of(source_logits: list[Any], count: int) -> tf.Tensor:
    """The discriminator's logistic loss, from logits of ``count`` real faces and then the fakes."""
    return mean_over_scales(
        [
            ops.mean(ops.softplus(-logits[:count])) + ops.mean(ops.softplus(logits[count:]))
            for logits in source_logits
        ]
    )


def squared_gradient(ask: Callable[[tf.Tensor], list[Any]], real: tf.Tensor) -> tf.Tensor:
    """R1: half the squared gradient of the source heads at real faces (Mescheder et al., 2018).

    Args:
        ask: faces (N, 48, 48, 1) to the source logits of each head.
        real: faces.
    """
    with tf.GradientTape() as tape:
        tape.watch(real)
        total = sum(ops.sum(ops.mean(logits, axis=(1, 2, 3))) for logits in ask(real))
    gradient = tape.gradient(total, real)
    return 0.5 * ops.mean(ops.sum(ops.square(gradient), axis=(1, 2, 3)))


def structural_similarity(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Mean SSIM (Wang et al., 2004) of two batches of faces (N, 48, 48, 1) in 0..1, a scalar.

    The values of ``tf.image.ssim``, whose depthwise convolution takes thirty times as long on a CPU:
    here the window is two matrices, one for rows and one for columns.
    """
    across = ops.convert_to_tensor(_ssim_window(first.shape[2]))
    down = ops.convert_to_tensor(_ssim_window(first.shape[1]).T)
    both = [first, second, ops.square(first) + ops.square(second), first * second]
    means = down @ ops.concatenate(both)[..., 0] @ across
    mean_a, mean_b, squares, product = ops.split(means, len(both))
    own, shared = ops.square(mean_a) + ops.square(mean_b), mean_a * mean_b
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2.0 * shared + c1) / (own + c1)
    structure = (2.0 * (product - shared) + c2) / (squares - own + c2)
    return ops.mean(luminance * structure)


def _ssim_window(side: int) -> npt.NDArray[np.float32]:
    """(side, side - 10) float32: a column for each place of the window along one side."""
    middle = (SSIM_SIDE_PX - 1) / 2
    bell = np.exp(-(((np.arange(SSIM_SIDE_PX) - middle) / SSIM_SIGMA_PX) ** 2) / 2)
    places = np.zeros((side, side - SSIM_SIDE_PX + 1), np.float32)
    for place in range(places.shape[1]):
        places[place : place + SSIM_SIDE_PX, place] = bell / bell.sum()
    return places


def lazily(
    penalty: Callable[..., tf.Tensor],
    ask: Callable[[tf.Tensor], list[Any]],
    real: tf.Tensor,
    step: Any,
    interval: int,
) -> tf.Tensor:
    """A penalty at every ``interval``-th step, as many times as heavy (Karras et al., 2020)."""
    return tf.cond(
        step % interval == 0,
        lambda: penalty(ask, real) * interval,
        lambda: tf.constant(0.0),
    )
