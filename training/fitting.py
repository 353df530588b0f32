"""Fits a classifier: epochs, averaged weights, checkpoints, validation, resume."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.classifiers import HEADS, build
from training.fer2013 import Pictures, Split
from training.recipes import Batches, Recipe, compile_model
from training.runs import load_checkpoint, read_history, save_checkpoint, write_history

VALIDATE_EVERY = 2  # epochs; the last one always


class WeightAverage(keras.callbacks.Callback):
    """Keeps a moving average of all weights, the normalization's statistics included."""

    def __init__(self, decay: float, every: int, averaged: list[Any] | None = None) -> None:
        super().__init__()
        self.decay, self.every = decay, every
        self.averaged: list[Any] = averaged or []
        self.step = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts from the weights as they are, unless the average was resumed."""
        if not self.averaged:
            self.averaged = self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the average a little towards the weights."""
        self.step += 1
        if self.step % self.every:
            return
        # A young average would remember the random start: it begins as a plain mean.
        decay = min(self.decay, self.step / self.every / (10 + self.step / self.every))
        for average, weight in zip(self.averaged, self.model.get_weights(), strict=True):
            average *= decay
            average += (1 - decay) * weight


class Bookkeeper(keras.callbacks.Callback):
    """After each epoch: validation with the averaged weights, history, checkpoint, one line."""

    def __init__(self, run: Path, average: WeightAverage, validation: Pictures) -> None:
        super().__init__()
        self.run_path, self.average, self.validation = run, average, validation
        self.history = read_history(run)
        self.started_at_s = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        self.started_at_s = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes what the epoch brought."""
        row = {"epoch": epoch + 1.0, **{k: round(float(v), 5) for k, v in (logs or {}).items()}}
        if (epoch + 1) % VALIDATE_EVERY == 0 or epoch + 1 == self.params["epochs"]:
            row |= self.validate()
        row["seconds"] = round(time.monotonic() - self.started_at_s, 1)
        self.history.append(row)
        save_checkpoint(self.run_path, self.model, self.average.averaged)
        write_history(self.run_path, self.history)
        print("  ".join(f"{key} {value:g}" for key, value in row.items()), flush=True)

    def validate(self) -> dict[str, float]:
        """Accuracy of the averaged weights on the validation split, each head on its labels."""
        weights = self.model.get_weights()
        self.model.set_weights(self.average.averaged)
        logits = predict(self.model, self.validation.pixels)
        self.model.set_weights(weights)
        labels = {"fer2013": self.validation.labels}
        judged = np.ones(len(self.validation), bool)
        if self.validation.has_votes:
            votes = self.validation.crowd()
            labels["crowd"] = votes.argmax(axis=1)
            judged = 2 * votes.max(axis=1) > self.validation.votes.sum(axis=1)
        scores = {}
        for head, expected in labels.items():
            right = logits[head].argmax(axis=1) == expected
            right = right[judged] if head == "crowd" else right
            scores[f"validation_{head}"] = round(float(right.mean()), 5)
        return scores


def predict(model: keras.Model, pixels: Any, batch_size: int = 256) -> dict[str, Any]:
    """Logits (n, 7) of each head for (n, 48, 48) uint8 pixels."""
    parts = [
        model.predict_on_batch(pixels[at : at + batch_size, ..., None].astype(np.float32))
        for at in range(0, len(pixels), batch_size)
    ]
    return {head: np.concatenate([np.asarray(part[head]) for part in parts]) for head in HEADS}


def fit(run: Path, pictures: Pictures, recipe: Recipe, resume: bool) -> keras.Model:
    """Trains until the recipe's last epoch and returns the network with averaged weights.

    Args:
        run: its directory; checkpoints land there after each epoch.
        pictures: cleaned; the train and validation splits are used.
        recipe: what to do.
        resume: go on after the last finished epoch instead of starting anew.
    """
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(recipe.precision)
    train = pictures.split(Split.TRAIN)
    model = build(recipe.network)
    compile_model(model, recipe, max(len(train) // recipe.batch_size, 1))
    average = WeightAverage(recipe.average_decay, recipe.average_every)
    done = 0
    if resume:
        average.averaged = load_checkpoint(run, model)
        done = int(read_history(run)[-1]["epoch"])
        average.step = done * (len(train) // recipe.batch_size)
    bookkeeper = Bookkeeper(run, average, pictures.split(Split.VALIDATION))
    model.fit(
        Batches(train, recipe, done),
        epochs=recipe.epochs,
        initial_epoch=done,
        callbacks=[average, bookkeeper],
        verbose=1 if os.isatty(1) else 0,
        shuffle=False,  # Batches draws its own order, which a seed repeats
    )
    if average.averaged:
        model.set_weights(average.averaged)
    return model
