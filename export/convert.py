"""Keras to TFLite: float for comparison, full int8 for the board.

Input of both: uint8 or float grey pixels (n, 48, 48, 1), 0 to 255, any n. Output: float32
logits (n, 7). Rescaling is the network's first layer, so the int8 file takes camera pixels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from device.vision.preprocess import CROP_PX

Pixels = npt.NDArray[np.uint8]  # (n, 48, 48)


@contextmanager
def converter_for(model: keras.Model, head: str) -> Iterator[tf.lite.TFLiteConverter]:
    """A converter for one head of a network, for any number of faces."""
    one_head = keras.Model(model.inputs, model.output[head])
    signature = [keras.InputSpec("float32", (None, CROP_PX, CROP_PX, 1), name="pixels")]
    with TemporaryDirectory() as folder:
        # Converting a function directly leaves the weights behind as variables.
        one_head.export(folder, format="tf_saved_model", verbose=False, input_signature=signature)
        yield tf.lite.TFLiteConverter.from_saved_model(folder)


def to_float(model: keras.Model, head: str) -> bytes:
    """The network as a float32 TFLite file."""
    with converter_for(model, head) as converter:
        return bytes(converter.convert())


def to_int8(model: keras.Model, head: str, calibration: Pixels) -> bytes:
    """The network with int8 weights and activations; uint8 in, float32 out.

    Args:
        model: float32 network.
        head: which of its outputs.
        calibration: (n, 48, 48) training crops that set the ranges.
    """

    def crops() -> Iterator[list[npt.NDArray[np.float32]]]:
        for crop in calibration:
            yield [crop[None, ..., None].astype(np.float32)]

    with converter_for(model, head) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = crops
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.float32
        return without_names(bytes(converter.convert()))


def without_names(content: bytes) -> bytes:
    """The same file without the names of its tensors, which are a tenth of a small network."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    flatbuffer_utils.strip_strings(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
