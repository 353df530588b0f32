"""The guide: a small expression network that is frozen while a generator trains.

The discriminator's domain head learns beside the generator and is easily fooled by it; a network
that does not move is a steadier teacher. It is trained here, on the training split alone, under
strong augmentation and noise, and it is neither a judge nor anything that ships.

The noise matters most: a network that has to see through it goes by what a face shows at large,
and its gradients then draw faces and not scribbles (Cohen et al., 2019; Kaur et al., 2019).
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers, ops

from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS
from training.gan.differentiable import augment
from training.gan.faces import VotedFaces
from training.gan.losses import cross_entropy, one_hot

BLOCKS = ((48, 1), (96, 2), (160, 2))  # channels and convolutions of each size
MAX_NOISE = 0.3  # standard deviation, of pixels in -1..1


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
    """Fits a guide to augmented faces and the FER+ votes on them.

    It sees the rare expressions oftener than people show them, or it would not know them.
    """

    def __init__(self, guide: keras.Model, seed: int) -> None:
        super().__init__()
        self.guide = guide
        self.seed = keras.random.SeedGenerator(seed)
        self.means = [keras.metrics.Mean(name) for name in ("loss", "accuracy")]

    def train_step(self, data):
        """One step on ``(faces, shares)``: uint8 (N, 48, 48, 1), and (N, 7) of the votes."""
        faces, shares = data
        faces = scale_pixels(faces)
        with tf.GradientTape() as tape:
            logits = self.guide(obscure(faces, self.seed), training=True)
            loss = ops.mean(keras.losses.categorical_crossentropy(shares, logits, from_logits=True))
        variables = self.guide.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = ops.mean(ops.cast(ops.argmax(logits, 1) == ops.argmax(shares, 1), "float32"))
        self.means[0].update_state(loss)
        self.means[1].update_state(right)
        return {mean.name: mean.result() for mean in self.means}


class Guidance:
    """A frozen guide's opinion as a loss, for the kinds that do not have one of their own.

    Args:
        guide: an expression network.
        margins: (7,) by how much a fake must convince it.
        weight: of the loss.
    """

    def __init__(self, guide: keras.Model, margins: npt.NDArray[np.float32], weight: float) -> None:
        self.guide, self.weight = guide, weight
        self.guide.trainable = False
        self.margins = tf.constant(margins)

    def loss(self, fake, targets, seed: keras.random.SeedGenerator):
        """Weighted cross-entropy of fakes (N, 48, 48, 1) that shall show ``targets`` (N,)."""
        opinion = self.guide(obscure(fake, seed), training=False)
        return self.weight * cross_entropy(
            targets, less_margin(opinion, one_hot(targets), self.margins)
        )


def less_margin(opinion, to_target, margins):
    """Logits (N, 7) with the target's lowered by its margin (7,): it must convince by more."""
    return opinion - to_target * margins


def obscure(faces: tf.Tensor, seed: keras.random.SeedGenerator) -> tf.Tensor:
    """Faces as a guide sees them: augmented, and each with noise of another strength."""
    noise = keras.random.normal(ops.shape(faces), seed=seed)
    strength = keras.random.uniform((ops.shape(faces)[0], 1, 1, 1), 0.0, MAX_NOISE, seed=seed)
    return augment(faces, seed) + strength * noise


def rarity_of(faces: VotedFaces) -> npt.NDArray[np.float32]:
    """(7,) logarithm of how much rarer than a seventh each expression is; 0 for common ones.

    A guide that has seen them oftener takes much for them; another judge wants to see more.
    """
    common = faces.shares.mean(axis=0) * len(EXPRESSIONS)  # 1 for a seventh of the faces
    return np.maximum(-np.log(np.maximum(common, 1e-3)), 0).astype(np.float32)


def scale_pixels(faces: tf.Tensor) -> tf.Tensor:
    """uint8 to float32 in -1..1."""
    return ops.cast(faces, "float32") / 127.5 - 1.0
