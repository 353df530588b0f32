"""Makes ``brightness.tflite`` and its card: a real, tiny network whose answers are known.

It has the contract of the expression networks (uint8 grey in, seven logits out, fully int8
inside) and says ``happy`` for a bright crop, ``sad`` for a dark one. Run it with the training
packages installed: ``python tests/golden/make_models.py``.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from device.vision.model_card import ModelCard

FOLDER = Path(__file__).parent
HAPPY, SAD, CLASSES = 3, 4, 7


def main() -> None:
    """Builds, quantises and describes the network."""
    pixels = keras.Input((48, 48, 1))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    mean = keras.layers.Flatten()(keras.layers.AveragePooling2D(48)(scaled))
    logits = keras.layers.Dense(CLASSES)
    network = keras.Model(pixels, logits(mean))
    kernel = np.zeros((1, CLASSES), np.float32)
    kernel[0, HAPPY], kernel[0, SAD] = 4, -4
    logits.set_weights([kernel, np.zeros(CLASSES, np.float32)])

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    levels = np.linspace(0, 255, 32, dtype=np.float32)
    converter.representative_dataset = lambda: (
        [np.full((1, 48, 48, 1), level, np.float32)] for level in levels
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    content = converter.convert()

    bright = np.full((48, 48), 255, np.uint8)
    golden = [
        {"input": base64.b64encode(bright).decode(), "output": [0, 0, 0, 4, -4, 0, 0]},
    ]
    card = ModelCard(
        name="brightness",
        version="1",
        task="classify",
        sha256=hashlib.sha256(content).hexdigest(),
        temperature=2.0,
        prior_shift=[0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        golden=golden,
    )
    (FOLDER / "brightness.tflite").write_bytes(content)
    (FOLDER / "brightness.json").write_text(card.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
