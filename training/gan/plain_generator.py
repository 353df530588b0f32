"""The generator as the paper describes it, for the row of the table that is the paper's recipe.

Convolutions that halve, residual blocks, transposed convolutions that double, batch normalisation,
and the target's embedding that scales and shifts each normalisation. It draws the whole face: no
flow, no attention mask.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS


@keras.saving.register_keras_serializable("mien")
class ConditionalBatchNorm(layers.Layer):
    """Batch normalisation, then a scale and a shift of each channel as the target asks."""

    def build(self, input_shape):
        """One scale and one shift a channel, both linear in the embedding."""
        channels = input_shape[0][-1]
        self.normal = layers.BatchNormalization(center=False, scale=False, dtype="float32")
        self.scale = layers.Dense(channels, kernel_initializer="zeros", dtype="float32")
        self.shift = layers.Dense(channels, kernel_initializer="zeros", dtype="float32")
        self.normal.build(input_shape[0])
        self.scale.build(input_shape[1])
        self.shift.build(input_shape[1])

    def call(self, inputs, training=False):
        """(N, H, W, C) features and (N, E) embedding to (N, H, W, C)."""
        features, embedding = inputs
        x = self.normal(ops.cast(features, "float32"), training=training)
        scale = self.scale(embedding)[:, None, None]
        shift = self.shift(embedding)[:, None, None]
        return ops.cast(x * (1.0 + scale) + shift, features.dtype)

    def compute_output_shape(self, input_shape):
        """The features' shape."""
        return input_shape[0]


def build_plain_generator(
    width: int, num_blocks: int, embedding: int, dtype: str = "float32"
) -> keras.Model:
    """Builds it, with the inputs and the output of ``build_generator``.

    Args:
        width: channels at 12×12; half as many at 24×24.
        num_blocks: residual blocks.
        embedding: length of the target's embedding.
        dtype: ``float32`` or ``mixed_bfloat16``.

    Returns:
        A model with layers ``mask`` (ones: all is painted) and ``flow`` (zeros: nothing moves), so
        that whoever asks for them can treat both generators alike.
    """
    face = keras.Input((CROP_PX, CROP_PX, 1), name="face", dtype="float32")
    target = keras.Input((len(EXPRESSIONS),), name="target", dtype="float32")
    embedded = layers.Dense(embedding, "swish", dtype="float32", name="embed")(target)
    plain = {"padding": "same", "use_bias": False, "dtype": dtype}

    def modulated(x, name):
        return ConditionalBatchNorm(dtype=dtype, name=f"{name}_norm")([x, embedded])

    def relu(x):
        return layers.ReLU(dtype=dtype)(x)

    x = layers.Conv2D(width // 2, 4, 2, name="half", **plain)(face)
    x = relu(modulated(x, "half"))
    x = layers.Conv2D(width, 4, 2, name="quarter", **plain)(x)
    x = relu(modulated(x, "quarter"))
    for block in range(num_blocks):
        name = f"block{block}"
        inner = layers.Conv2D(width, 3, name=f"{name}a", **plain)(x)
        inner = relu(modulated(inner, f"{name}a"))
        inner = layers.Conv2D(width, 3, name=f"{name}b", **plain)(inner)
        x = layers.Add(dtype=dtype)([x, modulated(inner, f"{name}b")])
    x = layers.Conv2DTranspose(width // 2, 4, 2, name="up", **plain)(x)
    x = relu(modulated(x, "up"))
    x = layers.Conv2DTranspose(width // 2, 4, 2, name="upper", **plain)(x)
    x = relu(modulated(x, "upper"))
    x = layers.Conv2D(1, 7, padding="same", dtype="float32", name="draw")(x)
    result = layers.Activation("tanh", dtype="float32", name="change")(x)
    mask = layers.Identity(dtype="float32", name="mask")(ops.ones_like(face))
    still = ops.concatenate([ops.zeros_like(face)] * 2, axis=-1)
    flow = layers.Identity(dtype="float32", name="flow")(still)
    result = result * mask + flow[..., :1]  # both stay in the graph; neither changes anything
    return keras.Model([face, target], result, name="generator")
