"""What every network that translates faces has: generator, its running mean, critic, state.

The rivals share all of this, the data and the generator, so that the table compares the losses.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS
from training.files import whole
from training.gan.generator import GeneratorSettings, build_generator, inner_of, two_sided

PLAYERS = ("generator", "mean_generator", "discriminator")
MEAN_DECAY = 0.999  # of the running mean: about the last thousand steps


class Translation(keras.Model):
    """A generator and a critic in training; subclasses add ``train_step``.

    Attributes:
        loss_names: what ``train_step`` returns the mean of since the round began.
    """

    loss_names: tuple[str, ...] = ()

    def __init__(
        self,
        discriminator: keras.Model,
        num_steps: int,
        learning_rate: float = 4e-4,
        critic_rate: float = 2.5,
        critic_steps: int = 1,
        seed: int = 1,
        size: GeneratorSettings | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.generator = build_generator(size, dtype)
        self.inner_generator = inner_of(self.generator)
        self.mean_generator = build_generator(size, dtype)
        self.mean_generator.set_weights(self.generator.get_weights())
        self.discriminator = discriminator
        self.generator_optimizer = adam(late_decay(learning_rate, num_steps), self.generator)
        # An optimizer counts its own steps.
        critics = late_decay(learning_rate * critic_rate, num_steps * critic_steps)
        self.discriminator_optimizer = adam(critics, self.discriminator)
        self.seed = keras.random.SeedGenerator(seed)
        self.means = {name: keras.metrics.Mean(name) for name in self.loss_names}
        self.num_done = self.add_weight(shape=(), dtype="int64", trainable=False, name="num_done")

    def call(self, inputs):
        """``[faces, one-hot targets]`` through the mean generator."""
        return self.mean_generator(inputs)

    def average_generator(self) -> None:
        """Moves the mean generator towards the generator; faster while young."""
        age = ops.cast(self.num_done, "float32")
        keep = ops.minimum(MEAN_DECAY, (1.0 + age) / (10.0 + age))
        for mean, new in zip(self.mean_generator.weights, self.generator.weights, strict=True):
            mean.assign(keep * mean + (1.0 - keep) * new)
        self.num_done.assign_add(1)

    def mean_losses(self, **losses: tf.Tensor) -> dict[str, tf.Tensor]:
        """Counts a step's losses in and returns their means since the round began."""
        for name, loss in losses.items():
            self.means[name].update_state(loss)
        return {name: mean.result() for name, mean in self.means.items()}

    def variables_by_name(self) -> Iterator[tuple[str, keras.Variable]]:
        """Everything that a resumed training needs, in a fixed order under fixed names."""
        owners = {
            "generator": self.generator.weights,
            "mean_generator": self.mean_generator.weights,
            "discriminator": self.discriminator.weights,
            "generator_optimizer": self.generator_optimizer.variables,
            "discriminator_optimizer": self.discriminator_optimizer.variables,
            "progress": [self.num_done, self.seed.state],
        }
        for owner, variables in owners.items():
            for index, variable in enumerate(variables):
                yield f"{owner}/{index}", variable

    def save_state(self, path: Path) -> None:
        """Writes the state as one npz; a crash in between leaves the old one."""
        state = {n: ops.convert_to_numpy(v.value) for n, v in self.variables_by_name()}
        with whole(path) as part:
            np.savez(part, **state)

    def load_state(self, path: Path, players_only: bool = False) -> None:
        """Reads what ``save_state`` wrote.

        Args:
            path: of the state.
            players_only: the networks, but nothing of the training: it begins anew.

        Raises:
            UsageError: the file belongs to another network.
        """
        with open_state(path) as state:
            for name, variable in self.variables_by_name():
                if players_only and name.split("/")[0] not in PLAYERS:
                    continue
                if name not in state or state[name].shape != tuple(variable.shape):
                    raise UsageError(f"{path}: {name} does not fit; other settings than the run's?")
                variable.assign(state[name])


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


def one_hot(classes: tf.Tensor) -> tf.Tensor:
    """Class numbers (N,) to float32 (N, 7)."""
    return ops.one_hot(classes, len(EXPRESSIONS), dtype="float32")


def update(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: list[Any],
) -> None:
    """One step of one player."""
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def cross_entropy(classes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of (N, 7) logits, float32."""
    return ops.mean(keras.losses.sparse_categorical_crossentropy(classes, logits, from_logits=True))


def mean_over_scales(values: list[Any]) -> tf.Tensor:
    """Mean of one scalar for each head of each scale."""
    return sum(values) / len(values)


@contextmanager
def open_state(path: Path) -> Iterator[Any]:
    """The arrays by name of what ``save_state`` wrote.

    Raises:
        UsageError: not there, or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as state:
            yield state
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: no state of a generator's run ({error})") from error


def steps_done(run: Path) -> int:
    """Generator steps of a run so far."""
    with open_state(run / "state.npz") as state:
        return int(state["progress/0"])


def told_apart_of(source_logits: list[Any], count: int) -> tf.Tensor:
    """The discriminator's logistic loss, from logits of ``count`` real faces and then the fakes."""
    return mean_over_scales(
        [
            ops.mean(ops.softplus(-logits[:count])) + ops.mean(ops.softplus(logits[count:]))
            for logits in source_logits
        ]
    )


def squared_gradient(ask: Callable[[tf.Tensor], list[Any]], real: tf.Tensor) -> tf.Tensor:
    """R1: half the squared gradient of the source heads at real faces (Mescheder et al., 2018).

    Args:
        ask: faces (N, 48, 48, 1) to the source logits of each head.
        real: faces.
    """
    with tf.GradientTape() as tape:
        tape.watch(real)
        total = sum(ops.sum(ops.mean(logits, axis=(1, 2, 3))) for logits in ask(real))
    gradient = tape.gradient(total, real)
    return 0.5 * ops.mean(ops.sum(ops.square(gradient), axis=(1, 2, 3)))


def lazily(
    penalty: Callable[..., tf.Tensor],
    ask: Callable[[tf.Tensor], list[Any]],
    real: tf.Tensor,
    step: Any,
    interval: int,
) -> tf.Tensor:
    """A penalty at every ``interval``-th step, as many times as heavy (Karras et al., 2020)."""
    return tf.cond(
        step % interval == 0,
        lambda: penalty(ask, real) * interval,
        lambda: tf.constant(0.0),
    )


def load_generator(run: Path, size: GeneratorSettings) -> keras.Model:
    """The mean generator of a run's state, two-sided, in float32: what is judged and exported.

    Raises:
        UsageError: no state there, or that of another generator.
    """
    generator = build_generator(size)
    try:
        with open_state(run / "state.npz") as state:
            weights = [state[f"mean_generator/{i}"] for i in range(len(generator.weights))]
        generator.set_weights(weights)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{run}: no state of such a generator there ({error})") from error
    return two_sided(generator)
