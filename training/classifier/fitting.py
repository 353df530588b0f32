"""Fits a classifier: epochs, averaged weights, checkpoints, validation, resume."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
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
from training.classifier.metrics import protocols_for, truth_of
from training.classifier.networks import build
from training.classifier.optimizer import compile_model
from training.classifier.recipe import Recipe, targets_of
from training.classifier.trained import load_network, load_view_teachers, predict, teach
from training.classifier.warm_start import weights_of
from training.classifier.weight_average import WeightAverage
from training.data.fer2013 import Pictures, Split
from training.precision import usable_precision
from training.runs import read_history, write_history

VALIDATE_EVERY = 2  # epochs; the last one always


def validate(model: keras.Model, averaged: list[Any], validation: Pictures) -> dict[str, float]:
    """Accuracy of the averaged weights on the validation split, each head on its labels."""
    weights = model.get_weights()
    model.set_weights(averaged)
    logits = predict(model, validation.pixels)
    model.set_weights(weights)
    result = {}
    heads = {"fer2013": "fer2013", "crowd": "majority"}
    for head, protocol in heads.items():
        if protocol in protocols_for(validation):
            truth = truth_of(validation, protocol)
            right = logits[head][truth.chosen].argmax(axis=1) == truth.labels
            result[f"validation_{head}"] = round(float(right.mean()), 5)
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
        compile_model(model, recipe, len(batches))
    if recipe.start_from and not (resume and has_checkpoint(run)):
        train = pictures.split(Split.TRAIN)
        model.set_weights(weights_of(recipe.network, Path(recipe.start_from), train.pixels))
    step = distributed.make_step(spread, model, recipe.batch_size)
    averaged, done = model.get_weights(), 0
    if resume and has_checkpoint(run):
        averaged = load_checkpoint(run, model)
        done = int(model.optimizer.iterations) // len(batches)
    average = WeightAverage(
        recipe.average_decay, recipe.average_every, averaged, done * len(batches)
    )
    validation = pictures.split(Split.VALIDATION)
    for epoch in range(done, recipe.epochs):
        started_at_s = time.monotonic()
        row = {"epoch": epoch + 1.0, **train_epoch(model, step, batches, average, epoch)}
        if (epoch + 1) % VALIDATE_EVERY == 0 or epoch + 1 == recipe.epochs:
            row |= validate(model, average.averaged, validation)
        row["seconds"] = round(time.monotonic() - started_at_s, 1)
        if distributed.is_chief(strategy):
            save_checkpoint(run, model, average.averaged)
            write_history(run, [*read_history(run)[:epoch], row])
        say("  ".join(f"{key} {value:g}" for key, value in row.items()))
    model.set_weights(average.averaged)
    return model


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
