"""How a converted file compares with its model on the same pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from device.vision.tflite import TFLiteModel
from export.gate import Limit
from training.classifier.metrics import softmax

MIN_AGREEMENT = 0.98
MAX_ACCURACY_LOSS = 0.005
MAX_PROBABILITY_DIFFERENCE = 0.35  # of single borderline pictures; the mean is far below

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """How the file of a classifier compares with its Keras model on the same pictures.

    Attributes:
        n: pictures.
        agreement: share with the same first choice.
        accuracy_keras: of the model.
        accuracy_tflite: of the file.
        largest_probability_difference: over all pictures and classes.
    """

    n: int
    agreement: float
    accuracy_keras: float
    accuracy_tflite: float
    largest_probability_difference: float

    def as_facts(self) -> dict[str, float]:
        """For the card."""
        return asdict(self)

    def limits(self) -> list[Limit]:
        """What the gate asks of it."""
        loss = self.accuracy_keras - self.accuracy_tflite
        difference = self.largest_probability_difference
        return [
            Limit("top-1 agreement", self.agreement, MIN_AGREEMENT, True, "{:.2%}"),
            Limit("accuracy falls by", loss, MAX_ACCURACY_LOSS, form="{:.2%}"),
            Limit(
                "a probability differs by", difference, MAX_PROBABILITY_DIFFERENCE, form="{:.2f}"
            ),
        ]


def run_crops(content: bytes, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(n, ...) what a file answers to (n, 48, 48) crops, through the device's own wrapper."""
    model = TFLiteModel(content)
    rows = pixels[..., None].astype(model.inputs[0].dtype)
    return model.run_each(rows)


def compare(keras_logits: Logits, tflite_logits: Logits, labels: npt.NDArray[np.int64]) -> Parity:
    """Measures parity on pictures with labels."""
    expected, actual = keras_logits.argmax(axis=1), tflite_logits.argmax(axis=1)
    difference = np.abs(softmax(keras_logits) - softmax(tflite_logits)).max()
    return Parity(
        n=len(labels),
        agreement=round(float((expected == actual).mean()), 4),
        accuracy_keras=round(float((expected == labels).mean()), 4),
        accuracy_tflite=round(float((actual == labels).mean()), 4),
        largest_probability_difference=round(float(difference), 4),
    )
