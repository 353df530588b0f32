"""The optimizer of a classifier, its learning rate and the losses."""

from __future__ import annotations

from typing import Any

import keras
from keras.optimizers.schedules import CosineDecay

from training.classifier.losses import DifferenceLoss, cross_entropy
from training.classifier.networks import HEADS
from training.classifier.recipe import Recipe


def schedule_of(peak: float, warmup_steps: int, total_steps: int) -> CosineDecay:
    """The learning rate: a line up to the peak, then half a cosine down to zero.

    Args:
        peak: reached with the last warm-up step.
        warmup_steps: the first of them already learns, at ``peak / warmup_steps``.
        total_steps: of the whole training, warm-up included.
    """
    decay_steps = max(total_steps - warmup_steps, 1)
    if warmup_steps <= 1:
        return CosineDecay(peak, decay_steps)
    # Keras counts from 0 and takes the last warm-up step for the first of the decay.
    return CosineDecay(
        peak / warmup_steps, decay_steps + 1, warmup_target=peak, warmup_steps=warmup_steps - 1
    )


def loss_of(recipe: Recipe) -> Any:
    """Cross-entropy of a head's logits."""
    if recipe.balance != "weights":
        return keras.losses.CategoricalCrossentropy(from_logits=True)
    return cross_entropy


def compile_model(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> None:
    """Gives the model its optimizer and one loss a head."""
    warmup = int(recipe.warmup_epochs * steps_per_epoch)
    schedule = schedule_of(recipe.learning_rate, warmup, recipe.epochs * steps_per_epoch)
    optimizer = keras.optimizers.SGD(
        schedule, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    losses = {head: loss_of(recipe) for head in HEADS}
    if recipe.posed_pairs:
        losses = {"fer2013": cross_entropy, "crowd": DifferenceLoss()}
    model.compile(
        optimizer,
        loss=losses,
        loss_weights={"fer2013": 1.0, "crowd": recipe.crowd_weight},
        jit_compile=False,  # XLA's convolutions on CPUs are several times slower
    )
