"""The guide: a small expression network that is frozen while a generator trains.

The discriminator's domain head learns beside the generator and is easily fooled by it; a network
that does not move is a steadier teacher. It is trained here, on the training split alone, under
the same augmentation that the critics get, and it is neither a judge nor anything that ships.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers, ops

from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS
from training.gan.differentiable import augment

BLOCKS = ((32, 1), (64, 2), (128, 2))  # channels and convolutions of each size


def build_guide(dtype: str = "float32") -> keras.Model:
    """A model from ``face`` (N, 48, 48, 1) in -1..1 to logits (N, 7)."""
    face = keras.Input((CROP_PX, CROP_PX, 1), name="face", dtype="float32")
    x = layers.Conv2D(32, 5, 2, "same", use_bias=False, dtype=dtype)(face)
    x = layers.Activation("relu", dtype=dtype)(layers.BatchNormalization(dtype=dtype)(x))
    for index, (width, depth) in enumerate(BLOCKS):
        for _ in range(depth):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, dtype=dtype)(x)
            x = layers.Activation("relu", dtype=dtype)(layers.BatchNormalization(dtype=dtype)(x))
        if index < len(BLOCKS) - 1:
            x = layers.MaxPooling2D(dtype=dtype)(x)
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = layers.Dropout(0.3, dtype="float32")(x)
    logits = layers.Dense(len(EXPRESSIONS), dtype="float32", name="logits")(x)
    return keras.Model(face, logits, name="guide")


class GuideTraining(keras.Model):
    """Fits a guide to augmented faces; cross-entropy with smoothed labels."""

    def __init__(self, guide: keras.Model, seed: int) -> None:
        super().__init__()
        self.guide = guide
        self.seed = keras.random.SeedGenerator(seed)
        self.means = [keras.metrics.Mean(name) for name in ("loss", "accuracy")]

    def train_step(self, data):
        """One step on ``(faces, sources, targets)``; the targets are not used."""
        faces, sources, _ = data
        faces = scale_pixels(faces)
        with tf.GradientTape() as tape:
            logits = self.guide(augment(faces, self.seed), training=True)
            one_hot = ops.one_hot(sources, len(EXPRESSIONS))
            loss = ops.mean(
                keras.losses.categorical_crossentropy(
                    one_hot, logits, from_logits=True, label_smoothing=0.05
                )
            )
        variables = self.guide.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        named = ops.cast(ops.argmax(logits, axis=1), "int32")
        right = ops.mean(ops.cast(named == sources, "float32"))
        self.means[0].update_state(loss)
        self.means[1].update_state(right)
        return {mean.name: mean.result() for mean in self.means}


def scale_pixels(faces: tf.Tensor) -> tf.Tensor:
    """uint8 to float32 in -1..1."""
    return ops.cast(faces, "float32") / 127.5 - 1.0
