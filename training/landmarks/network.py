"""The model of ``training landmarks``."""

from __future__ import annotations

from typing import Any

import numpy as np

from device.vision.preprocess import CROP_PX, NUM_OUTPUTS

MAP_CELLS = CROP_PX // 4  # a side
FINE = 48  # channels at 12×12
COARSE = 64  # at 6×6, where few cells make weights cheap and a kernel sees most of the face


def build() -> Any:
    """Where each point is, as a map of 12×12 whose centre of mass is the answer: 113 k weights.

    A map learns from far fewer steps than a dense layer on flattened features: the same
    weights look everywhere. Which eye or mouth corner is which can only be told from the whole
    face; that comes from the coarse features, enlarged and added to the fine ones.
    """
    import keras

    pixels = keras.Input((CROP_PX, CROP_PX, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = separable(convolution(x, 16, strides=2), 24)
    fine = convolution(convolution(x, FINE, strides=2), FINE)
    coarse = convolution(fine, COARSE, strides=2)
    coarse = keras.layers.Add()([coarse, convolution(coarse, COARSE)])
    coarse = keras.layers.Add()([coarse, separable(coarse, COARSE, kernel=5)])
    coarse = keras.layers.Conv2D(FINE, 1, use_bias=False)(coarse)
    coarse = keras.layers.BatchNormalization()(coarse)
    coarse = keras.layers.UpSampling2D(2, interpolation="bilinear")(coarse)
    both = keras.layers.ReLU()(keras.layers.Add()([fine, coarse]))
    points = centers_of_mass(keras.layers.Conv2D(NUM_OUTPUTS // 2, 1)(separable(both, FINE)))
    return keras.Model(pixels, keras.layers.Reshape((NUM_OUTPUTS,))(points))


def convolution(x: Any, width: int, strides: int = 1) -> Any:
    """3×3, normalised, rectified."""
    import keras

    x = keras.layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


def separable(x: Any, width: int, kernel: int = 3) -> Any:
    """A kernel a channel, then a mixture of the channels; each normalised."""
    import keras

    x = keras.layers.DepthwiseConv2D(kernel, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(width, 1, use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


def centers_of_mass(maps: Any) -> Any:
    """(N, 5, 2) shares of the side from (N, 12, 12, 5) logits."""
    import keras

    shares = keras.layers.Softmax(axis=1)(keras.layers.Reshape((MAP_CELLS**2, 5))(maps))
    shares = keras.layers.Permute((2, 1))(shares)
    middle = (np.arange(MAP_CELLS) + 0.5) / MAP_CELLS
    grid = np.stack([np.tile(middle, MAP_CELLS), np.repeat(middle, MAP_CELLS)], axis=1)
    center_of_mass = keras.layers.Dense(2, use_bias=False, trainable=False)
    points = center_of_mass(shares)
    center_of_mass.set_weights([grid.astype(np.float32)])
    return points
