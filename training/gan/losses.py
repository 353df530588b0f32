"""Losses and penalties that StarGAN and its baselines share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from device.vocabulary import EXPRESSIONS


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
