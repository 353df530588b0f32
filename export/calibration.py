"""What a classifier's logits on validation say: how sure it may be, and how far to lift the rare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.classifier.metrics import fit_prior_shift, fit_temperature


@dataclass(frozen=True)
class Calibration:
    """Fitted to the logits of one file.

    Attributes:
        temperature: they are divided by it.
        strength: of the balanced prior.
        prior_shift: (7,) added for it after the temperature.
    """

    temperature: float
    strength: float
    prior_shift: list[float]


def calibrate(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    prior: npt.NDArray[np.float64],
) -> Calibration:
    """Fits temperature and balanced prior.

    Args:
        logits: (n, 7) on validation.
        labels: (n,) there.
        prior: (7,) share of each expression in training.
    """
    temperature = fit_temperature(logits, labels)
    scaled = np.asarray(logits / temperature, np.float32)
    strength, shift = fit_prior_shift(scaled, labels, prior)
    return Calibration(temperature, strength, shift)
