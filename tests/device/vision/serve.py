"""What the daemon does with a model that has passed its trial, for ``test_mutated_models``.

Run as ``python -m tests.device.vision.serve MODEL.tflite``: one face and many. A
model that fails with a ``ModelError`` gives way in the daemon; everything else would end it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.vision.classifier import TFLiteClassifier

NUMBERS_OF_FACES = (1, 2, 3, 5, 8, 9, 20)


def main(path: Path) -> None:
    """Noise, black, white and everything between, as many faces as there may be."""
    random = np.random.default_rng(0)
    classifier = TFLiteClassifier.load(path, prior="balanced")
    for size in NUMBERS_OF_FACES:
        noise = random.integers(0, 256, (size, 48, 48), np.uint8)
        flat = np.linspace(0, 255, size, dtype=np.uint8)[:, None, None] + np.zeros_like(noise)
        for crops in (noise, flat, 255 - flat):
            probabilities = classifier.probabilities(crops)
            assert probabilities.shape == (size, 7)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ModelError as error:
        print(error)
