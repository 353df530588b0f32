"""The measure of generators: a shipped classifier names what they make, as the device would.

Each face's figure is the share of the seven targets that the classifier names as asked, all
expressions equally likely (the card's ``prior_shift``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from device.vision.model_card import ModelCard
from device.vocabulary import EXPRESSIONS
from export.in_place import Comparison, Figures
from export.likeness import Crops, translate_by_tflite
from export.parity import run_crops
from training.reports.tflite import TfliteClassifier


def comparison_before(
    judge: tuple[TfliteClassifier, ModelCard], content: bytes, crops: Crops
) -> Callable[[bytes, ModelCard], Comparison | None]:
    """How the generator in place is compared with a new one.

    Args:
        judge: a classifier of ours and its card.
        content: of the new generator.
        crops: (N, 48, 48) faces.
    """
    model, card = judge

    def shares(generator: bytes) -> Figures:
        made, _ = translate_by_tflite(generator, crops)
        logits = run_crops(model.content, made) / card.temperature + np.asarray(card.prior_shift)
        named = logits.argmax(axis=1).reshape(len(crops), len(EXPRESSIONS))
        return np.asarray((named == np.arange(len(EXPRESSIONS))).mean(axis=1), np.float64)

    def against(old: bytes, old_card: ModelCard) -> Comparison | None:
        if old_card.task != "synthesize":
            return None
        measure = f"the share of results that {card.name} names as asked, on validation,"
        return Comparison(measure, shares(content), shares(old), unit="faces")

    return against
