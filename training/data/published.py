"""A published expression network as another opinion on faces: face-api.js' (MIT licence).

It is read from the folder ``model`` of the npm package ``@vladmandic/face-api``, where the user has
unpacked it, and never shipped. Its layers are those of face-api.js' ``FaceExpressionNet``: four
blocks of four convolutions that each see the sum of those before, then one dense layer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.files import reason

if TYPE_CHECKING:
    import keras

SIDE_PX = 112
MEAN = np.array([122.782, 117.001, 104.298], np.float32)  # of red, green, blue
# Its order is neutral, happy, sad, angry, fearful, disgusted, surprised; ours as its columns.
OURS = (3, 5, 4, 1, 2, 6, 0)
MANIFEST = "face_expression_model-weights_manifest.json"
BATCH = 128

Weights = Mapping[str, npt.NDArray[np.float32]]
Opinion = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def load_published(folder: Path) -> Opinion:
    """The network as a function from (n, 48, 48) uint8 to probabilities (n, 7) float32.

    The answer is the mean over each picture and its mirror image.

    Raises:
        UsageError: the folder does not hold it, or it cannot be read.
    """
    try:
        model = build(read_weights(folder))
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(
            f"{folder}: not face-api.js' expression network ({reason(error)})"
        ) from error

    def opinion(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        both = ask(model, pixels) + ask(model, pixels[:, :, ::-1])
        return (both / 2).astype(np.float32)

    return opinion


def read_weights(folder: Path) -> Weights:
    """The arrays of a TensorFlow.js manifest by name, dequantized.

    Raises:
        OSError, KeyError, TypeError, ValueError: they cannot be read.
    """
    groups = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    weights = {}
    for group in groups:
        content = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"]))
            quantized = entry.get("quantization")
            dtype = np.dtype(np.uint8 if quantized else np.float32)
            values = np.frombuffer(content, dtype, count, at).astype(np.float32)
            if quantized:
                values = values * np.float32(quantized["scale"]) + np.float32(quantized["min"])
            weights[entry["name"]] = values.reshape(entry["shape"])
            at += count * dtype.itemsize
    return weights


def build(weights: Weights) -> keras.Model:
    """The network with its weights: (n, 112, 112, 3) normalised to logits (n, 7) in its order."""
    import keras

    def convolve(x: Any, name: str, stride: int) -> Any:
        if f"{name}/filters" in weights:
            parts = [weights[f"{name}/filters"], weights[f"{name}/bias"]]
            layer = keras.layers.Conv2D(parts[0].shape[-1], 3, stride, "same", dtype="float32")
        else:
            parts = [weights[f"{name}/{part}"]
                     for part in ("depthwise_filter", "pointwise_filter", "bias")]  # fmt: skip
            layer = keras.layers.SeparableConv2D(
                parts[1].shape[-1], 3, stride, "same", dtype="float32"
            )
        y = layer(x)
        layer.set_weights(parts)
        return y

    x = pixels = keras.Input((SIDE_PX, SIDE_PX, 3))
    for block in range(4):
        before = keras.ops.relu(convolve(x, f"dense{block}/conv0", 2))
        for number in (1, 2, 3):
            before = before + convolve(keras.ops.relu(before), f"dense{block}/conv{number}", 1)
        x = keras.ops.relu(before)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    dense = keras.layers.Dense(len(OURS), dtype="float32")
    logits = dense(x)
    dense.set_weights([weights["fc/weights"], weights["fc/bias"]])
    return keras.Model(pixels, logits)


def ask(model: keras.Model, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Its probabilities (n, 7) for (n, 48, 48) uint8, in our order."""
    from training.classifier.metrics import softmax

    parts = []
    for at in range(0, len(pixels), BATCH):
        large = [cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
                 for crop in pixels[at : at + BATCH]]  # fmt: skip
        batch = (np.stack(large)[..., None].astype(np.float32) - MEAN) / 255
        parts.append(np.asarray(model(batch, training=False))[:, list(OURS)])
    return softmax(np.concatenate(parts)).astype(np.float32)
