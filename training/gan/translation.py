"""What every network that translates faces has: generator, its running mean, critic, checkpoint.

The baselines share all of this, the data and the generator, so that the table compares the losses.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from device.errors import UsageError
from training.files import reason, whole
from training.gan.generator import GeneratorSettings, build_generator, inner_of, two_sided
from training.gan.guide import Guidance
from training.gan.optimizer import adam, late_decay

PLAYERS = ("generator", "mean_generator", "discriminator")
MEAN_DECAY = 0.999  # of the running mean: about the last thousand steps


class Translation(keras.Model):
    """A generator and a critic in training; subclasses add ``train_step``.

    Attributes:
        loss_names: what ``train_step`` returns the mean of since the last checkpoint.
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
        guidance: Guidance | None = None,
    ) -> None:
        super().__init__()
        self.guidance = guidance
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

    def guided(self, fake, targets):
        """The guide's loss on fakes (N, 48, 48, 1) with its weight; 0 without a guide."""
        if self.guidance is None:
            return 0.0
        return self.guidance.loss(fake, targets, self.seed)

    def average_generator(self) -> None:
        """Moves the mean generator towards the generator; faster while young."""
        age = ops.cast(self.num_done, "float32")
        keep = ops.minimum(MEAN_DECAY, (1.0 + age) / (10.0 + age))
        for mean, new in zip(self.mean_generator.weights, self.generator.weights, strict=True):
            mean.assign(keep * mean + (1.0 - keep) * new)
        self.num_done.assign_add(1)

    def mean_losses(self, **losses: tf.Tensor) -> dict[str, tf.Tensor]:
        """Counts a step's losses in and returns their means since the last checkpoint."""
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

    def save_checkpoint(self, path: Path) -> None:
        """Writes the checkpoint as one npz; a crash in between leaves the old one."""
        state = {n: ops.convert_to_numpy(v.value) for n, v in self.variables_by_name()}
        with whole(path) as part:
            np.savez(part, **state)

    def load_checkpoint(self, path: Path, players_only: bool = False) -> None:
        """Reads what ``save_checkpoint`` wrote.

        Args:
            path: of the checkpoint.
            players_only: the networks, but nothing of the training: it begins anew.

        Raises:
            UsageError: the file belongs to another network.
        """
        with open_checkpoint(path) as state:
            for name, variable in self.variables_by_name():
                if players_only and name.split("/")[0] not in PLAYERS:
                    continue
                if name not in state or state[name].shape != tuple(variable.shape):
                    raise UsageError(f"{path}: {name} does not fit; other settings than the run's?")
                variable.assign(state[name])


@contextmanager
def open_checkpoint(path: Path) -> Iterator[Any]:
    """The arrays by name of what ``save_checkpoint`` wrote.

    Raises:
        UsageError: not there, or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as state:
            yield state
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: no checkpoint of a generator's run ({reason(error)})") from error


def steps_done(run: Path) -> int:
    """Generator steps of a run so far."""
    with open_checkpoint(run / "state.npz") as state:
        return int(state["progress/0"])


def load_generator(run: Path, size: GeneratorSettings) -> keras.Model:
    """The mean generator of a run's checkpoint, two-sided, in float32: what is judged and exported.

    Raises:
        UsageError: no checkpoint there, or that of another generator.
    """
    generator = build_generator(size)
    try:
        with open_checkpoint(run / "state.npz") as state:
            weights = [state[f"mean_generator/{i}"] for i in range(len(generator.weights))]
        generator.set_weights(weights)
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{run}: no checkpoint of such a generator there ({reason(error)})"
        ) from error
    return two_sided(generator)
