"""Training on several devices or machines, through ``tf.distribute``.

``mirrored`` uses all GPUs of this machine. ``multiworker`` is one of several processes, each
told by the environment variable ``TF_CONFIG`` who the others are and which one it is, as
TensorFlow's guide describes. A batch of the recipe is shared out among all replicas. Gradients
are summed over them; the normalization's statistics stay each replica's own until they are read.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from device.errors import UsageError
from device.vision.preprocess import CROP_PX
from training.classifiers import HEADS
from training.fer2013 import NUM_CLASSES
from training.recipes import Batches

STRATEGIES = ("none", "mirrored", "multiworker")


def make_strategy(name: str) -> Any:
    """The ``tf.distribute`` strategy of that name; None for ``none``.

    Raises:
        UsageError: ``multiworker`` without a cluster in ``TF_CONFIG``.
    """
    if name == "none":
        return None
    import tensorflow as tf

    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if "cluster" not in json.loads(os.environ.get("TF_CONFIG") or "{}"):
        raise UsageError("--strategy multiworker needs the cluster and this task in TF_CONFIG")
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief() -> bool:
    """True for the one process that writes the run directory."""
    task = json.loads(os.environ.get("TF_CONFIG") or "{}").get("task", {})
    return task.get("index", 0) == 0


def scope_of(strategy: Any) -> contextlib.AbstractContextManager[Any]:
    """Where the model must be made."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


class AfterStep(keras.callbacks.Callback):
    """Calls back after each step."""

    def __init__(self, update: Callable[[keras.Model], None]) -> None:
        super().__init__()
        self.update = update

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Hands over the model."""
        self.update(self.model)


def train_epoch(
    model: keras.Model, batches: Batches, epoch: int, update: Callable[[keras.Model], None]
) -> dict[str, float]:
    """One pass over the training pictures on all replicas; returns the mean losses."""
    import tensorflow as tf

    def generate() -> Iterator[tuple[Any, dict[str, Any]]]:
        for pixels, targets in batches.of_epoch(epoch):
            yield pixels, {head: target.astype(np.float32) for head, target in targets.items()}

    size = batches.recipe.batch_size
    signature = (
        tf.TensorSpec((size, CROP_PX, CROP_PX, 1), tf.float32),
        {head: tf.TensorSpec((size, NUM_CLASSES), tf.float32) for head in HEADS},
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    options = tf.data.Options()
    # Every worker draws the same batches and takes its part of each.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    history = model.fit(
        dataset.with_options(options), epochs=1, steps_per_epoch=len(batches), verbose=0,
        callbacks=[AfterStep(update)],
    )  # fmt: skip
    return {name: round(float(values[-1]), 5) for name, values in history.history.items()}
