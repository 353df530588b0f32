"""Fits a classifier: epochs, averaged weights, checkpoints, validation, resume."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from device.errors import UsageError
from training.classifier import distributed
from training.classifier.batches import Batches, one_ahead
from training.classifier.checkpoint import (
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from training.classifier.distributed import Step
from training.classifier.metrics import cross_entropy, protocols_for, truth_of
from training.classifier.networks import build
from training.classifier.optimizer import compile_model
from training.classifier.recipe import Recipe, targets_of
from training.classifier.trained import load_network, load_view_teachers, predict, teach
from training.classifier.warm_start import weights_of
from training.classifier.weight_average import WeightAverage
from training.data.fer2013 import Pictures, Split
from training.precision import usable_precision
from training.runs import read_history, write_history

SHOWN = (
    "epoch",
    "loss",
    "validation_fer2013",
    "validation_crowd",
    "seconds",
)  # history.csv has all
MEASURED_PICTURES = 3600  # of the training split, about as many as validation has


def measure(
    model: keras.Model, averaged: list[Any], splits: Mapping[str, Pictures]
) -> dict[str, float]:
    """How good the averaged weights are on pictures as they are: the paper's Figure 9.

    Args:
        model: whose weights are kept.
        averaged: the weights to measure.
        splits: by the name that begins the keys of the result.

    Returns:
        For each split and head, on the head's own labels: ``SPLIT_HEAD``, the accuracy, and
        ``SPLIT_HEAD_loss``, the mean cross-entropy in nats.
    """
    weights = model.get_weights()
    model.set_weights(averaged)
    result = {}
    heads = {"fer2013": "fer2013", "crowd": "majority"}
    for split, pictures in splits.items():
        logits = predict(model, pictures.pixels)
        for head, protocol in heads.items():
            if protocol in protocols_for(pictures):
                truth = truth_of(pictures, protocol)
                chosen = logits[head][truth.chosen]
                right = chosen.argmax(axis=1) == truth.labels
                result[f"{split}_{head}"] = round(float(right.mean()), 5)
                result[f"{split}_{head}_loss"] = round(cross_entropy(chosen, truth.labels), 5)
    model.set_weights(weights)
    return result


def fit(
    run: Path,
    pictures: Pictures,
    recipe: Recipe,
    resume: bool,
    say: Callable[[str], None] = print,
    strategy: str = "none",
) -> keras.Model:
    """Trains until the recipe's last epoch and returns the network with averaged weights.

    Args:
        run: its directory; checkpoints land there after each epoch.
        pictures: cleaned; the train and validation splits are used.
        recipe: what to do.
        resume: go on after the last finished epoch instead of starting anew.
        say: told each epoch's line once its checkpoint is written.
        strategy: one of ``distributed.STRATEGIES``.
    """
    spread = distributed.make_strategy(strategy)  # before anything else wakes TensorFlow
    if spread is not None and recipe.posed_pairs:
        raise UsageError("--posed-pairs: a pair cannot be shared by replicas; leave --strategy out")
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(usable_precision(recipe.precision))
    batches = make_batches(pictures.split(Split.TRAIN), recipe)
    with distributed.scope_of(spread):
        model = build(recipe.network, recipe.normalizes)
        if recipe.keep_statistics:
            keep_statistics(model)
        compile_model(model, recipe, len(batches))
    if recipe.start_from and not (resume and has_checkpoint(run)):
        seen = pictures.split(Split.TRAIN).pixels
        model.set_weights(weights_of(recipe.network, Path(recipe.start_from), seen))
    step = distributed.make_step(spread, model, recipe.batch_size)
    averaged, done = model.get_weights(), 0
    if resume and has_checkpoint(run):
        averaged = load_checkpoint(run, model)
        done = int(model.optimizer.iterations) // len(batches)
    average = WeightAverage(
        recipe.average_decay, recipe.average_every, averaged, done * len(batches)
    )
    train, validation = pictures.split(Split.TRAIN), pictures.split(Split.VALIDATION)
    sample = np.arange(0, len(train), max(1, len(train) // MEASURED_PICTURES))
    measured = {"training": train.subset(sample), "validation": validation}
    for epoch in range(done, recipe.epochs):
        started_at_s = time.monotonic()
        row = {"epoch": epoch + 1.0, **train_epoch(model, step, batches, average, epoch)}
        row |= measure(model, average.averaged, measured)
        row["seconds"] = round(time.monotonic() - started_at_s, 1)
        if distributed.is_chief(strategy):
            save_checkpoint(run, model, average.averaged)
            write_history(run, [*read_history(run)[:epoch], row])
        say("  ".join(f"{key} {row[key]:g}" for key in SHOWN if key in row))
    model.set_weights(average.averaged)
    return model


def keep_statistics(model: keras.Model) -> None:
    """From now on batch normalization computes as it does at inference, and learns nothing."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def make_batches(train: Pictures, recipe: Recipe) -> Batches:
    """The training pictures with what labels, votes and a teacher say of them."""
    answers = teach(load_network(Path(recipe.teacher)), train.pixels) if recipe.teacher else None
    views = load_view_teachers(recipe.view_teachers)
    return Batches(train, targets_of(train, recipe, answers), recipe, views)


def train_epoch(
    model: keras.Model, step: Step, batches: Batches, average: WeightAverage, epoch: int
) -> dict[str, float]:
    """One pass over the training pictures; returns the mean losses."""
    reseed_dropout(model, batches.recipe.seed, epoch)
    totals: dict[str, float] = {}
    steps = tqdm(one_ahead(batches.of_epoch(epoch)), f"epoch {epoch + 1}", len(batches),
                 leave=False, disable=not sys.stderr.isatty())  # fmt: skip
    for pixels, targets in steps:
        for name, value in step(pixels, targets).items():
            totals[name] = totals.get(name, 0.0) + float(value)
        average.update(model)
    return {name: round(total / len(batches), 5) for name, total in totals.items()}


def reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """An epoch's dropout is the same whatever ran before it: no checkpoint holds its state."""
    for number, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            drawn = np.random.default_rng((seed, epoch, number)).integers(0, 2**31, 2)
            layer.seed_generator.state.assign(drawn.astype("uint32"))
