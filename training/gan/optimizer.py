"""The optimizer of both players and its learning rate."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("mien")
class LateDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Holds a schedule's first value for ``hold`` steps, then follows it."""

    def __init__(self, schedule, hold: int) -> None:
        self.schedule, self.hold = schedule, hold

    def __call__(self, step):
        """The learning rate of a step."""
        return self.schedule(ops.maximum(ops.cast(step, "float32") - self.hold, 0.0))

    def get_config(self):
        """Constructor arguments."""
        return {"schedule": self.schedule, "hold": self.hold}


def late_decay(rate: float, num_steps: int) -> LateDecay:
    """Full rate for the first half, then a line to a twentieth: the last fakes settle."""
    schedule = keras.optimizers.schedules.PolynomialDecay(rate, max(num_steps // 2, 1), rate / 20)
    return LateDecay(schedule, num_steps // 2)


def adam(learning_rate, network: keras.Model) -> keras.optimizers.Optimizer:
    """Adam for a player of the game, its slots made at once so that they can be restored."""
    # beta_1 = 0.5: with 0.9 each player answers what the other did long ago.
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.5, beta_2=0.99)
    optimizer.build(network.trainable_variables)
    return optimizer
