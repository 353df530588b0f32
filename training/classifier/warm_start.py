"""Begins a training from a shipped network instead of from random weights.

An int8 file holds each convolution with the normalization behind it folded in. Unfolded, the
network answers as the file does, and can learn on: from faces that a device collected, or longer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from device.errors import UsageError
from training.classifier.networks import HEADS, build
from training.classifier.trained import load_pair, predict
from training.reports.tflite import TfliteClassifier

Pixels = npt.NDArray[np.uint8]  # (n, 48, 48)
NUM_MEASURED = 1024  # pictures for the normalization's statistics
MAX_DIFFERENCE = 0.2  # of logits, in their standard deviations; int8 rounding makes 0.02 to 0.1


def weights_of(name: str, path: Path, pixels: Pixels) -> list[Any]:
    """All weights of a network that answers as a pair of ours does.

    Both heads answer like the one that the pair has, for want of better.

    Args:
        name: of the network, a key of ``networks.NETWORKS``.
        path: ``NAME.tflite``, its card beside it.
        pixels: pictures to measure the normalization's statistics on.

    Returns:
        As ``Model.get_weights`` gives and ``set_weights`` takes them.

    Raises:
        UsageError: no such pair, or of another network.
    """
    file, card = load_pair(path, "start")
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy("float32")
    try:
        model = build(name)
        unfold(model, file.kernels(), f"{path}: not a network {name}")
        some = pixels[:: max(len(pixels) // NUM_MEASURED, 1)][:NUM_MEASURED]
        normalize_as_measured(model, some)
        require_likeness(model, str(card.facts["head"]), file, some, path)
    finally:
        keras.mixed_precision.set_global_policy(policy)
    return list(model.get_weights())


def unfold(
    model: keras.Model,
    kernels: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
    refusal: str,
) -> None:
    """Puts the file's kernels into the layers; the normalization only adds what it folded.

    Layers of the same shape follow each other in both, so the n-th of a shape belongs to the n-th.

    Args:
        model: float32, as it was built; its layers must be convolutions, dense, or without weights.
        kernels: of each convolution and dense layer: kernel as Keras has it, and bias.
        refusal: begins the error.

    Raises:
        UsageError: other layers, or other shapes.
    """
    rest = list(kernels)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization) or not layer.weights:
            continue
        found = next((k for k, (kernel, _) in enumerate(rest) if kernel.shape == shape_of(layer)),
                     None)  # fmt: skip
        if found is None:
            raise UsageError(f"{refusal} (nothing fits {layer.name})")
        kernel, bias = rest[found]
        if layer.name not in HEADS:
            del rest[found]  # the heads share theirs
        if layer.use_bias:
            layer.set_weights([kernel, bias])
        else:
            layer.set_weights([kernel])
            behind = normalization_behind(layer)
            one, zero = np.ones_like(bias), np.zeros_like(bias)
            behind.set_weights([one * np.sqrt(1 + behind.epsilon), bias, zero, one])
    if [kernel for kernel, _ in rest if kernel.shape != shape_of(model.get_layer(HEADS[0]))]:
        raise UsageError(f"{refusal} (it has more layers)")


def shape_of(layer: Any) -> tuple[int, ...] | None:
    """Of its kernel; None for layers of another kind."""
    return tuple(layer.kernel.shape) if type(layer) in (layers.Conv2D, layers.Dense) else None


def normalization_behind(layer: Any) -> Any:
    """The batch normalization that takes a convolution's output."""
    return layer.output._keras_history.operation._outbound_nodes[0].operation


def normalize_as_measured(model: keras.Model, pixels: Pixels) -> None:
    """Gives each normalization the statistics of its input, and each filter before it length 1.

    The answers stay what they are. A training step moves a filter by an angle that depends on its
    length, and a folded one's length says nothing.
    """
    folded = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)
              and not layer.use_bias]  # fmt: skip
    values = keras.Model(model.input, [layer.output for layer in folded])
    sums = [np.zeros((2, layer.filters)) for layer in folded]
    for at in range(0, len(pixels), 64):
        outputs = values(pixels[at : at + 64, ..., None].astype(np.float32), training=False)
        for total, output in zip(sums, outputs, strict=True):
            found = np.asarray(output, np.float64)
            total += [found.mean(axis=(1, 2)).sum(axis=0), (found**2).mean(axis=(1, 2)).sum(axis=0)]
    for layer, total in zip(folded, sums, strict=True):
        behind = normalization_behind(layer)
        [kernel] = layer.get_weights()
        length = np.maximum(np.sqrt((kernel**2).sum(axis=(0, 1, 2))), 1e-6)
        mean, square = total / len(pixels)
        beta = np.asarray(behind.beta) + mean
        variance = np.maximum(square - mean**2, 1e-6) / length**2
        gamma = length * np.sqrt(variance + behind.epsilon)
        layer.set_weights([kernel / length])
        behind.set_weights([gamma, beta, mean / length, variance])


def require_likeness(
    model: keras.Model, head: str, file: TfliteClassifier, pixels: Pixels, path: Path
) -> None:
    """Refuses a network that does not answer as the file does."""
    own, wanted = predict(model, pixels)[head], file.logits(pixels)
    difference = float(np.abs(own - wanted).mean() / max(wanted.std(), 1e-6))
    if not difference <= MAX_DIFFERENCE:
        raise UsageError(
            f"{path}: not a network {model.name} (logits differ by {difference:.2f} deviations)"
        )
