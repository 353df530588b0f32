"""The networks, all with the same input and output.

Input: (n, 48, 48, 1) grey pixels 0 to 255. Output: a dictionary of logits (n, 7) in FER2013
order, one entry for each of ``HEADS``: the FER2013 head is trained on FER2013's own labels, the
FER+ head on the FER+ votes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from device.vision.preprocess import CROP_PX
from training.classifier.normalization import FusedBatchNormalization
from training.data.fer2013 import NUM_CLASSES

HEADS = ("fer2013", "crowd")


def build(name: str, normalizes: bool = True) -> keras.Model:
    """One of ``NETWORKS``, untrained; ``normalizes`` False lets it see pixels 0 to 255 as they are."""
    model = NETWORKS[name]()
    if not normalizes:
        rescaling = next(layer for layer in model.layers if isinstance(layer, layers.Rescaling))
        rescaling.scale, rescaling.offset = 1.0, 0.0
    return model


def expression() -> keras.Model:
    """The shipped network: residual blocks with squeeze-excitation, 1.4 M weights, 145 MMACs.

    The 5×5 stem halves the picture at once. Most of the work is done at 24×24 and 12×12, where
    creases and lips are still seen; most weights lie at 6×6, where they are cheap.
    """
    return squeezed_residual("expression", ((48, 2), (96, 3), (160, 2)))


def expression_light() -> keras.Model:
    """The same weights at half the cost, 75 MMACs: what taught the shipped network.

    Most weights work at 6×6, where a multiplication is cheap: what a board pays for is
    positions, not weights.
    """
    return squeezed_residual("expression-light", ((32, 1), (64, 2), (160, 3)))


def squeezed_residual(name: str, stages: Sequence[tuple[int, int]]) -> keras.Model:
    """A 5×5 stem of stride 2, then stages of residual blocks, each after the first at half the size.

    Args:
        name: of the network.
        stages: width and number of blocks of each.
    """
    inputs, x = start()
    x = conv_norm(x, stages[0][0], kernel=5, stride=2)
    for stage, (width, count) in enumerate(stages):
        for index in range(count):
            x = residual_block(x, width, stride=2 if stage and index == 0 else 1)
    return finish(inputs, x, name, dropout=0.2)


def expression_tiny() -> keras.Model:
    """The same shape for the smallest boards: 69 k weights, below 100 KB as int8."""
    inputs, x = start()
    x = conv_norm(x, 16, kernel=5, stride=2)
    for width, stride in ((16, 1), (24, 2), (40, 1), (40, 2)):
        x = residual_block(x, width, stride)
    return finish(inputs, x, "expression-tiny", dropout=0.0)


def mini_xception() -> keras.Model:
    """mini-Xception of Arriaga et al., "Real-time CNNs for Emotion and Gender Classification"."""
    inputs, x = start()
    for _ in range(2):
        x = conv_norm(x, 8, padding="valid")
    for width in (16, 32, 64, 128):
        shortcut = conv_norm(x, width, kernel=1, stride=2, activation=None)
        x = normalize(layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x))
        x = layers.ReLU()(x)
        x = normalize(layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.Add()([x, shortcut])
    logits = {
        head: layers.GlobalAveragePooling2D(dtype="float32", name=head)(
            layers.Conv2D(NUM_CLASSES, 3, padding="same")(x)
        )
        for head in HEADS
    }
    return keras.Model(inputs, logits, name="mini-xception")


def paper_cnn() -> keras.Model:
    """The paper's five blocks: 16 to 256 kernels of 3×3, pooling 7, 5, 3, 3, 3 with stride 2.

    With "same" padding throughout, 48 px become 24, 12, 6, 3 and 2, so the flattened vector
    has 2·2·256 = 1,024 entries. The paper says 1,600, which no padding of these numbers gives
    on 48 px; kernels, pooling and strides are kept and the width follows from them.
    """
    inputs, x = start()
    for width, pool in ((16, 7), (32, 5), (64, 3), (128, 3), (256, 3)):
        x = conv_norm(x, width)
        x = layers.MaxPooling2D(pool, strides=2, padding="same")(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, heads(x), name="paper")


def start() -> tuple[Any, Any]:
    """The input of pixels 0 to 255, and its rescaling to -1 to 1, which is part of the model."""
    inputs = keras.Input((CROP_PX, CROP_PX, 1), name="pixels")
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)


def finish(inputs: Any, x: Any, name: str, dropout: float) -> keras.Model:
    """Pooling over the picture and the two heads."""
    x = layers.GlobalAveragePooling2D()(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, heads(x), name=name)


def heads(x: Any) -> dict[str, Any]:
    """Logits in float32, also where the rest computes in bfloat16."""
    return {head: layers.Dense(NUM_CLASSES, dtype="float32", name=head)(x) for head in HEADS}


def normalize(x: Any) -> Any:
    """Batch normalization whose moving averages follow within an epoch."""
    return FusedBatchNormalization(momentum=0.98)(x)


def conv_norm(
    x: Any,
    width: int,
    kernel: int = 3,
    stride: int = 1,
    padding: str = "same",
    activation: str | None = "relu",
) -> Any:
    """Convolution, batch normalization and (unless None) ReLU."""
    x = layers.Conv2D(width, kernel, strides=stride, padding=padding, use_bias=False)(x)
    x = normalize(x)
    return layers.ReLU()(x) if activation else x


def residual_block(x: Any, width: int, stride: int) -> Any:
    """Two 3×3 convolutions, squeeze-excitation, and the shortcut around them."""
    y = conv_norm(x, width, stride=stride)
    y = conv_norm(y, width, activation=None)
    y = squeeze_excitation(y, width)
    if stride != 1:
        x = layers.AveragePooling2D(stride)(x)
    if x.shape[-1] != width:
        x = conv_norm(x, width, kernel=1, activation=None)
    return layers.ReLU()(layers.Add()([x, y]))


def squeeze_excitation(x: Any, width: int) -> Any:
    """Weighs the channels by what the whole picture shows (Hu et al., CVPR 2018)."""
    weight = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weight = layers.Conv2D(max(width // 8, 4), 1, activation="relu")(weight)
    weight = layers.Conv2D(width, 1, activation="sigmoid")(weight)
    return layers.Multiply()([x, weight])


def count_macs(model: keras.Model) -> int:
    """Multiply-accumulates of one picture, in convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        positions = 1
        if isinstance(layer, layers.Conv2D | layers.SeparableConv2D | layers.DepthwiseConv2D):
            positions = layer.output.shape[1] * layer.output.shape[2]
        elif not isinstance(layer, layers.Dense):
            continue
        kernels: Sequence[Any] = [w for w in layer.trainable_weights if len(w.shape) > 1]
        total += sum(positions * size_of(kernel.shape) for kernel in kernels)
    return total


def size_of(shape: Sequence[int]) -> int:
    """Number of entries of an array of this shape."""
    size = 1
    for length in shape:
        size *= int(length)
    return size


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "expression": expression,
    "expression-light": expression_light,
    "expression-tiny": expression_tiny,
    "mini-xception": mini_xception,
    "paper": paper_cnn,
}
