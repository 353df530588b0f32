"""Makes ``steps.tflite`` and its card: a real, tiny generator whose answers are known.

It has the contract of the shipped generator (a uint8 face and a one-hot target in, a uint8 face
and its flow out), moves nothing and lights the middle of the face by 20 grey levels a class: angry
by -60, happy by 0, neutral by 60. Run it with the training packages installed:
``python tests/golden/make_generator.py``.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from device.vision.model_card import ModelCard

FOLDER = Path(__file__).parent
MIDDLE = slice(16, 32)
STEP, HAPPY, NEUTRAL = 20, 3, 6


def main() -> None:
    """Builds, converts and describes the network."""
    face = keras.Input((48, 48, 1), batch_size=1, name="face", dtype="uint8")
    target = keras.Input((7,), batch_size=1, name="target", dtype="float32")
    window = np.zeros((1, 48, 48, 1), np.float32)
    window[:, MIDDLE, MIDDLE] = STEP
    light = ops.sum(target * (np.arange(7, dtype=np.float32) - HAPPY), axis=1)
    made = ops.cast(face, "float32") + ops.reshape(light, (1, 1, 1, 1)) * window
    still = ops.zeros((1, 48, 48, 2)) * ops.reshape(light, (1, 1, 1, 1))
    network = keras.Model([face, target], [ops.cast(ops.clip(made, 0, 255), "uint8"), still])
    content = tf.lite.TFLiteConverter.from_keras_model(network).convert()

    grey = np.full((48, 48), 128, np.uint8)
    expected = grey.copy()
    expected[MIDDLE, MIDDLE] += STEP * (NEUTRAL - HAPPY)
    golden = {
        "input": base64.b64encode(grey.tobytes()).decode(),
        "target": "neutral",
        "output": base64.b64encode(expected.tobytes()).decode(),
    }
    digest = hashlib.sha256(content).hexdigest()
    card = ModelCard("steps", "1", "synthesize", digest, golden=[golden])
    (FOLDER / "steps.tflite").write_bytes(content)
    (FOLDER / "steps.json").write_text(card.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
