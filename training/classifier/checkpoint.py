"""The checkpoint of a classifier's run, written after each epoch.

``last.weights.h5`` holds weights and optimizer, to resume; ``averaged.weights.h5`` is what is
evaluated and exported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from device.errors import UsageError
from training.files import reason, whole


def save_checkpoint(run: Path, model: keras.Model, averaged: list[Any]) -> None:
    """Writes the averaged weights, and weights and optimizer; both files take their place at once.

    A kill while they are written leaves the pair of the epoch before.
    """
    weights = model.get_weights()
    with whole(run / "last.weights.h5") as last, whole(run / "averaged.weights.h5") as mean:
        model.set_weights(averaged)
        model.save_weights(mean)
        model.set_weights(weights)
        model.save_weights(last)


def has_checkpoint(run: Path) -> bool:
    """False until the first epoch has ended."""
    return (run / "last.weights.h5").exists()


def load_checkpoint(run: Path, model: keras.Model) -> list[Any]:
    """Puts weights and optimizer back; returns the averaged weights.

    Raises:
        UsageError: there is no checkpoint yet, or it is of another network.
    """
    model.optimizer.build(model.trainable_variables)  # else its state is not read
    try:
        model.load_weights(run / "averaged.weights.h5")
        averaged = model.get_weights()
        model.load_weights(run / "last.weights.h5")
    except (OSError, ValueError) as error:
        raise UsageError(f"{run}: no checkpoint to resume from ({reason(error)})") from error
    return list(averaged)
