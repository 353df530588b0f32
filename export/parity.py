"""The gate: a converted file must answer as the network does, or nothing is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from device.errors import MienError
from training.classifier.metrics import softmax

MIN_AGREEMENT = 0.98
MAX_ACCURACY_LOSS = 0.005
MAX_PROBABILITY_DIFFERENCE = 0.35  # of single borderline pictures; the mean is far below

Logits = npt.NDArray[np.float32]


class ParityError(MienError):
    """A converted file answers otherwise than the network it was made from."""


@dataclass(frozen=True)
class Parity:
    """How a TFLite file compares with its Keras network on the same pictures.

    Attributes:
        n: pictures.
        agreement: share with the same first choice.
        accuracy_keras: of the network.
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


def require(parity: Parity) -> None:
    """Lets a good conversion pass.

    Raises:
        ParityError: it is not; says by which measure.
    """
    failures = []
    if not parity.agreement >= MIN_AGREEMENT:
        failures.append(f"top-1 agreement {parity.agreement:.2%} is below {MIN_AGREEMENT:.0%}")
    loss = parity.accuracy_keras - parity.accuracy_tflite
    if not loss <= MAX_ACCURACY_LOSS:
        failures.append(f"accuracy falls by {loss:.2%}, more than {MAX_ACCURACY_LOSS:.1%}")
    difference = parity.largest_probability_difference
    if not difference <= MAX_PROBABILITY_DIFFERENCE:
        failures.append(
            f"a probability differs by {difference:.2f}, more than {MAX_PROBABILITY_DIFFERENCE}"
        )
    if failures:
        raise ParityError(f"not exported, on {parity.n} validation pictures: {'; '.join(failures)}")
