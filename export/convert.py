"""The one conversion: a Keras model to TFLite, in one of four precisions.

============  =======================  ==========================================
precision     weights                  computes in
============  =======================  ==========================================
``float``     float32                  float32; the yardstick of the others
``float16``   float16                  float32
``dynamic``   int8                     int8 and float32, ranges found at run time
``int8``      int8                     int8, ranges from a calibration set
============  =======================  ==========================================

The file takes inputs of the model's types and shapes, and any number of rows where the model
does. An ``int8`` file takes uint8 pixels and gives float32, whatever the
model's input is; rescaling is the model's first layer, so these are the camera's pixels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

Pixels = npt.NDArray[np.uint8]  # (n, 48, 48)
Precision = Literal["float", "float16", "dynamic", "int8"]


def convert(
    model: keras.Model, precision: Precision, calibration_set: Pixels | None = None
) -> bytes:
    """The model as the bytes of a ``.tflite``.

    Args:
        model: in float32, with one output or several.
        precision: see above.
        calibration_set: (n, 48, 48) training crops that set the ranges of ``int8``.

    Raises:
        ValueError: ``int8`` without a calibration set.
    """
    with TemporaryDirectory() as folder:
        # Converting a function directly leaves the weights behind as variables.
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "dynamic":
            # A scale for each channel makes FULLY_CONNECTED 12, which tflite-runtime 2.14 lacks.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if precision == "int8":
            if calibration_set is None:
                raise ValueError("int8 needs a calibration set")
            use_int8(converter, calibration_set)
            return without_names(bytes(converter.convert()))
        return bytes(converter.convert())


def use_int8(converter: tf.lite.TFLiteConverter, calibration_set: Pixels) -> None:
    """Sets a converter to int8 weights and activations, uint8 in and float32 out."""

    def crops() -> Iterator[list[npt.NDArray[np.float32]]]:
        for crop in calibration_set:
            yield [crop[None, ..., None].astype(np.float32)]

    converter.representative_dataset = crops
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.float32


def without_names(content: bytes) -> bytes:
    """The same file without the names of its tensors, which are a tenth of a small model."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    flatbuffer_utils.strip_strings(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
