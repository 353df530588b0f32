"""Rebuilds a generator from the weights of its ``.tflite``, where the run is not at hand.

The converter names what each layer computes after the layer, so every constant of the file can be
put back into the layer that it came from. An int8 constant stands for a number that int8 holds
exactly when it is converted again with a scale for each channel. ``training`` begins from such a
generator, ``export`` converts it anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from device.errors import ModelError, UsageError
from device.vision.model_card import ModelCard, read_model
from training.gan.generator import GeneratorSettings, build_generator

Floats = npt.NDArray[np.float32]

OPERATIONS = schema.BuiltinOperator
AXES = {  # of a kernel in the file, in the order that Keras has them
    OPERATIONS.CONV_2D: (1, 2, 3, 0),
    OPERATIONS.TRANSPOSE_CONV: (1, 2, 0, 3),
    OPERATIONS.FULLY_CONNECTED: (1, 0),
}
BIAS = {OPERATIONS.CONV_2D: 2, OPERATIONS.TRANSPOSE_CONV: 3, OPERATIONS.FULLY_CONNECTED: 2}
TYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
}
ADDED_ONE = re.compile(r"_norm_\d+/add")  # ``1 + scale``: the converter puts the 1 into the bias
# The inner model's layers in a tensor's name; Keras numbers models by what was built before them.
LAYER = re.compile(r"/functional(?:_\d+)+/(?!functional_)(\w+?)_\d+/")


def read_generator(path: Path) -> tuple[bytes, ModelCard]:
    """The content and the card of a generator's pair.

    Returns:
        The ``.tflite`` and its card, whose ``facts["run"]["recipe"]`` has width and blocks.

    Raises:
        UsageError: no pair there, damaged, of another task, or the card names no size.
    """
    try:
        content, card = read_model(path)
    except ModelError as error:
        raise UsageError(f"no generator: {error}") from error
    run = card.facts.get("run")
    recipe = run.get("recipe") if isinstance(run, dict) else None
    named = isinstance(recipe, dict) and {"width", "blocks"} <= set(recipe)
    if card.task != "synthesize" or not named:
        raise UsageError(f"{path}: not a generator's pair that names its width and blocks")
    return content, card


def rebuild_generator(content: bytes, settings: GeneratorSettings, refusal: str) -> keras.Model:
    """The generator of one side with the weights of a file.

    Args:
        content: the bytes of a ``.tflite`` that ``export generator`` made.
        settings: size of the generator.
        refusal: begins the error.

    Returns:
        As ``build_generator`` gives it; what the file does is ``two_sided`` of it.

    Raises:
        UsageError: the file holds another model.
    """
    found = weights_by_layer(content)
    generator = build_generator(settings)
    for layer in generator.layers:
        if not layer.weights:
            continue
        shapes = [tuple(weight.shape) for weight in layer.weights]
        weights = found.get(layer.name, [])[: len(shapes)]  # a bias of zeros may follow a kernel
        if [weight.shape for weight in weights] != shapes:
            raise UsageError(f"{refusal}: nothing in it fits the layer {layer.name}")
        layer.set_weights(weights)
    return generator


def weights_by_layer(content: bytes) -> dict[str, list[Floats]]:
    """Kernel and bias of each convolution and dense layer, in the order of the file.

    A layer that the file runs twice, once for each side, counts once.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    [graph] = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    stored = {  # float16 constants are made float32 by an operator of their own
        o.outputs[0]: o.inputs[0]
        for o in graph.operators
        if codes[o.opcodeIndex] == OPERATIONS.DEQUANTIZE
    }
    found: dict[str, list[Floats]] = {}
    seen = set()
    for operation in graph.operators:
        code = codes[operation.opcodeIndex]
        layer = LAYER.search(graph.tensors[operation.outputs[0]].name.decode())
        if code not in AXES or layer is None or operation.inputs[1] in seen:
            continue
        seen.add(operation.inputs[1])
        places = [stored.get(p, p) for p in (operation.inputs[1], operation.inputs[BIAS[code]])]
        if any(model.buffers[graph.tensors[place].buffer].data is None for place in places):
            continue  # computed, not learnt: no layer of a generator
        kernel, bias = (constant(model, graph, place) for place in places)
        kernel = kernel.transpose(AXES[code])
        if ADDED_ONE.search(graph.tensors[operation.outputs[0]].name.decode()):
            bias = bias - 1
        found.setdefault(layer[1], []).extend([np.ascontiguousarray(kernel), bias])
    return found


def constant(model: Any, graph: Any, index: int) -> Floats:
    """A constant of the file in the numbers that it stands for."""
    tensor = graph.tensors[index]
    raw = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    values = np.frombuffer(raw, TYPES[tensor.type]).reshape(tensor.shape).astype(np.float32)
    scales = tensor.quantization.scale if tensor.quantization else None
    if tensor.type != schema.TensorType.INT8 or scales is None:
        return values
    return values * np.asarray(scales, np.float32).reshape(-1, *[1] * (values.ndim - 1))
