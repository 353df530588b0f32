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
from collections.abc import Callable
from typing import Any

import keras

from device.errors import UsageError

Step = Callable[[Any, dict[str, Any]], dict[str, Any]]

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
    if "cluster" not in read_config():
        raise UsageError("--strategy multiworker needs the cluster and this task in TF_CONFIG")
    return tf.distribute.MultiWorkerMirroredStrategy()


def read_config() -> dict[str, Any]:
    """What ``TF_CONFIG`` says; empty where it is not set.

    Raises:
        UsageError: it is not a JSON object.
    """
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise UsageError("TF_CONFIG is not a JSON object; see TensorFlow's guide")
    return config


def is_chief(strategy: str) -> bool:
    """True for the one process that writes the run directory."""
    if strategy != "multiworker":
        return True  # whatever TF_CONFIG a machine has for others
    config = read_config()
    task = config.get("task", {})
    if "chief" in config.get("cluster", {}):
        return task.get("type") == "chief"
    return task.get("index", 0) == 0


def scope_of(strategy: Any) -> contextlib.AbstractContextManager[Any]:
    """Where the model must be made."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def make_step(strategy: Any, model: keras.Model, batch_size: int) -> Step:
    """The training step: a whole batch in, the losses out, on however many replicas."""
    if strategy is None:
        return lambda pixels, targets: model.train_on_batch(pixels, targets, return_dict=True)
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(f"a batch of {batch_size} cannot be shared by {replicas} replicas")

    def run_replicas(pixels: Any, targets: Any) -> Any:
        # Keras' own train_on_batch averages over workers along an axis that losses lack.
        logs = strategy.run(model.train_step, args=((pixels, targets),))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    run = tf.function(run_replicas)

    def part_of(values: Any) -> Any:
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(values[context.replica_id_in_sync_group :: replicas])
        )

    def step(pixels: Any, targets: dict[str, Any]) -> dict[str, Any]:
        """All workers draw the same batches; each replica takes its part."""
        model.reset_metrics()
        parts = {head: part_of(values) for head, values in targets.items()}
        return dict(run(part_of(pixels), parts))

    return step
