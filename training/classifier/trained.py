"""Rebuilds a run's network for use: float32, averaged weights, nothing of the training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from device.errors import ModelError, UsageError
from device.vision.model_card import ModelCard, read_model
from training.classifier.batches import Teacher
from training.classifier.metrics import softmax
from training.classifier.networks import HEADS, build
from training.classifier.read_recipe import read_recipe
from training.files import reason
from training.reports.tflite import TfliteClassifier


def load_network(run: Path) -> keras.Model:
    """The network of a run, finished or still training, with its averaged weights.

    Raises:
        UsageError: no checkpoint there, or of another network.
    """
    recipe = read_recipe(run)
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy("float32")
    try:
        model = build(recipe.network, recipe.normalizes)
        model.load_weights(run / "averaged.weights.h5")
    except (OSError, ValueError) as error:
        raise UsageError(f"{run}: no usable weights yet ({reason(error)})") from error
    finally:
        keras.mixed_precision.set_global_policy(policy)
    return model


def one_head(model: keras.Model, head: str) -> keras.Model:
    """The model with one head of the two."""
    return keras.Model(model.inputs, model.output[head])


def predict(model: keras.Model, pixels: Any, batch_size: int = 256) -> dict[str, Any]:
    """Logits (n, 7) of each head for (n, 48, 48) uint8 pixels."""
    parts = [
        # Not predict_on_batch: among several workers that answers for all of them.
        model(pixels[at : at + batch_size, ..., None].astype(np.float32), training=False)
        for at in range(0, len(pixels), batch_size)
    ]
    return {head: np.concatenate([np.asarray(part[head]) for part in parts]) for head in HEADS}


def teach(teacher: keras.Model, pixels: Any) -> dict[str, Any]:
    """(n, 7) probabilities of each head, the mean over each picture and its mirror image."""
    plain, mirrored = predict(teacher, pixels), predict(teacher, pixels[:, :, ::-1])
    return {head: (softmax(plain[head]) + softmax(mirrored[head])) / 2 for head in HEADS}


def load_view_teachers(paths: Iterable[str]) -> dict[str, Teacher]:
    """Teachers of the online distillation by their head, as functions from pictures to probabilities.

    Several for one head answer with the mean of theirs.

    Raises:
        UsageError: no such pair, or no classifier of ours.
    """
    teachers: dict[str, list[Teacher]] = {}
    for path in paths:
        network, card = load_pair(Path(path), "teacher")
        teachers.setdefault(str(card.facts["head"]), []).append(
            answer_like(network, card.temperature)
        )
    return {head: mean_of(several) for head, several in teachers.items()}


def mean_of(teachers: Sequence[Teacher]) -> Teacher:
    """One teacher that answers with the mean of several."""

    def answer(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.mean([teacher(pixels) for teacher in teachers], axis=0, dtype=np.float32)

    return answer


def load_pair(path: Path, role: str) -> tuple[TfliteClassifier, ModelCard]:
    """A classifier of ours as it ships.

    Args:
        path: ``NAME.tflite``, its card beside it.
        role: what it is wanted for, for the error.

    Raises:
        UsageError: no such pair, or no classifier with one of ``HEADS``.
    """
    try:
        content, card = read_model(path)
    except ModelError as error:
        raise UsageError(f"no {role}: {error}") from error
    if card.facts.get("head") not in HEADS:
        raise UsageError(f"no {role}: {path} has none of the heads {', '.join(HEADS)}")
    return TfliteClassifier(content), card


def answer_like(network: TfliteClassifier, temperature: float) -> Teacher:
    """(n, 48, 48) uint8 to the network's calibrated probabilities (n, 7) float32."""
    return lambda pixels: softmax(network.logits(pixels), temperature)
