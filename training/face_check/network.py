"""The model of ``training face-check``: 19 k weights, 0.92 million multiplications a box."""

from __future__ import annotations

from typing import Any

from device.vision.preprocess import CROP_PX


def build() -> Any:
    """A logit for (48, 48, 1) grey values from 0 to 255: above 0 rather a face."""
    import keras

    pixels = keras.Input((CROP_PX, CROP_PX, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(12, 3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = separable(x, 24, strides=2)
    x = separable(x, 40)
    x = separable(x, 40)
    x = separable(x, 64, strides=2)
    x = separable(x, 96)
    # Where in the crop a feature lies matters: a kernel as large as the map, no mean.
    x = keras.layers.DepthwiseConv2D(x.shape[1], use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.1)(keras.layers.Flatten()(x))
    return keras.Model(pixels, keras.layers.Dense(1)(x))


def separable(x: Any, width: int, strides: int = 1) -> Any:
    """A 3×3 kernel a channel, then a mixture of the channels; each normalised."""
    import keras

    x = keras.layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(width, 1, use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
