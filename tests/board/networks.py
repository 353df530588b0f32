"""Networks whose times on boards others have published, made anew with random weights.

How many instructions a convolution takes does not depend on its weights, so the plan of a
network suffices to count it. Needs TensorFlow (``.venv-dev``), for a minute.

    python -m tests.board.networks FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

# EfficientNet-Lite0 (Tan and Le, 2019): kernel, repeats, output channels, expansion, stride.
STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
)
STAGES += ((5, 3, 112, 6, 1), (5, 4, 192, 6, 2), (3, 1, 320, 6, 1))
EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))  # SSD's layers behind MobileNet v2


def main(folder: Path) -> None:
    """Writes the networks that ``boards.PUBLISHED`` names."""
    folder.mkdir(parents=True, exist_ok=True)
    detector = efficientdet_lite0()
    (folder / "efficientdet-lite0-float32.tflite").write_bytes(convert(detector, False))
    (folder / "efficientdet-lite0-int8.tflite").write_bytes(convert(detector, True))
    ssd = ssdlite_mobilenet_v2()
    (folder / "ssdlite-mobilenet-v2-float32.tflite").write_bytes(convert(ssd, False))


def convert(model: Any, is_int8: bool) -> bytes:
    """The TFLite file; int8 calibrated on noise, as nobody looks at what it answers."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if is_int8:
        random = np.random.default_rng(0)

        def pictures() -> Iterator[list[Any]]:
            for _ in range(2):
                yield [random.random((1, *model.input_shape[1:]), np.float32)]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = pictures
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def ssdlite_mobilenet_v2() -> Any:
    """SSDLite on MobileNet v2 (Sandler et al., 2018), 300×300, 91 classes, without its sorting."""
    import keras

    backbone = keras.applications.MobileNetV2((300, 300, 3), include_top=False, weights=None)
    x = backbone.output
    maps = [backbone.get_layer("block_13_expand_relu").output, x]
    for squeezed, channels in EXTRA:
        x = point(x, squeezed)
        x = point(depth(x, 3, 2), channels)
        maps.append(x)
    outputs = []
    for number, features in enumerate(maps):
        anchors = 3 if number == 0 else 6
        outputs += [point(depth(features, 3, 1), anchors * n, act=False) for n in (4, 91)]
    return keras.Model(backbone.input, outputs)


def efficientdet_lite0() -> Any:
    """EfficientDet-Lite0 (Tan et al., 2020), 320×320, 90 classes, without its sorting."""
    import keras
    from keras import layers

    image = keras.Input((320, 320, 3))
    x = normalised(layers.Conv2D(32, 3, 2, "same", use_bias=False)(image))
    ends = []
    for kernel, repeats, channels, expansion, stride in STAGES:
        for repeat in range(repeats):
            start = x
            if expansion > 1:
                x = point(x, x.shape[-1] * expansion)
            x = point(depth(x, kernel, stride if repeat == 0 else 1), channels, act=False)
            if repeat:
                x = layers.Add()([start, x])
        ends.append(x)
    p6 = layers.MaxPooling2D(3, 2, "same")(point(ends[6], 64, act=False))
    levels = [ends[2], ends[4], ends[6], p6, layers.MaxPooling2D(3, 2, "same")(p6)]
    for _ in range(3):
        levels = fused(levels)
    outputs = []
    for values in (9 * 90, 9 * 4):
        for x in levels:
            for _ in range(3):
                x = point(depth(x, 3, 1, act=False), 64)
            outputs.append(point(depth(x, 3, 1, act=False), values, act=False))
    return keras.Model(image, outputs)


def fused(levels: list[Any]) -> list[Any]:
    """One BiFPN cell: from coarse to fine, then back, each time a sum and a convolution."""
    from keras import layers

    same = [x if x.shape[-1] == 64 else point(x, 64, act=False) for x in levels]

    def node(*inputs: Any) -> Any:
        x = layers.ReLU(6.0)(layers.Add()(list(inputs)))
        return point(depth(x, 3, 1, act=False), 64, act=False)

    def finer(x: Any, like: Any) -> Any:
        x = layers.UpSampling2D(2)(x)
        extra = x.shape[1] - like.shape[1]
        return layers.Cropping2D(((0, extra), (0, extra)))(x) if extra else x

    down = [same[4]]
    for x in same[3::-1]:
        down.insert(0, node(x, finer(down[0], x)))
    up = [down[0]]
    for number in range(1, 5):
        inputs = [same[number], layers.MaxPooling2D(3, 2, "same")(up[-1])]
        up.append(node(*inputs, *([down[number]] if number < 4 else [])))
    return up


def depth(x: Any, kernel: int, stride: int, act: bool = True) -> Any:
    """A depthwise convolution, with its normalisation and ReLU6 if ``act``."""
    from keras import layers

    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False)(x)
    return normalised(x) if act else x


def point(x: Any, channels: int, act: bool = True) -> Any:
    """A 1×1 convolution with its normalisation, and ReLU6 if ``act``."""
    from keras import layers

    return normalised(layers.Conv2D(channels, 1, use_bias=False)(x), act)


def normalised(x: Any, act: bool = True) -> Any:
    """Batch normalisation, which the converter folds into the weights, and ReLU6."""
    from keras import layers

    x = layers.BatchNormalization()(x)
    return layers.ReLU(6.0)(x) if act else x


if __name__ == "__main__":
    main(Path(sys.argv[1]))
