"""The moving average of a network's weights, which is what is evaluated and exported."""

from __future__ import annotations

from typing import Any

import keras


class WeightAverage:
    """A moving average of all weights, the normalization's statistics included."""

    def __init__(self, decay: float, every: int, averaged: list[Any], step: int) -> None:
        self.decay, self.every = decay, every
        self.averaged = averaged
        self.step = step

    def update(self, model: keras.Model) -> None:
        """After each step; moves the average a little towards the weights."""
        self.step += 1
        if self.step % self.every:
            return
        # A young average forgets faster, or it would remember the random start.
        updates = self.step / self.every
        decay = min(self.decay, updates / (10 + updates))
        for average, weight in zip(self.averaged, model.get_weights(), strict=True):
            average *= decay
            average += (1 - decay) * weight
