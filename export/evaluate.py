"""What a TFLite file is worth on FER2013, by each protocol, as it runs on the board."""

from __future__ import annotations

from typing import Any

import numpy as np

from device.vision.model_card import ModelCard
from export.parity import Logits, run_crops
from training.classifier.metrics import protocols_for, scores, truth_of
from training.data.fer2013 import Pictures, Split
from training.data.splits import require_split


def evaluate(
    content: bytes,
    pictures: Pictures,
    temperature: float = 1.0,
    prior_shift: list[float] | None = None,
) -> dict[str, Any]:
    """Scores by protocol on the pictures of one split.

    Args:
        content: the ``.tflite`` bytes.
        pictures: of one split, uncleaned.
        temperature: of the card.
        prior_shift: (7,) of the card; None for the natural prior.
    """
    return _by_protocol(run_crops(content, pictures.pixels), pictures, temperature, prior_shift)


def _by_protocol(
    answers: Logits, pictures: Pictures, temperature: float, prior_shift: list[float] | None
) -> dict[str, Any]:
    logits = answers / temperature
    if prior_shift is not None:
        logits = logits + np.asarray(prior_shift, np.float32)
    results = {}
    for protocol in protocols_for(pictures):
        truth = truth_of(pictures, protocol)
        results[protocol] = scores(logits[truth.chosen], truth.labels)
    return results


def evaluate_card(
    content: bytes, card: ModelCard, pictures: Pictures, split: Split
) -> dict[str, Any]:
    """Both priors of a card on one split."""
    chosen = require_split(pictures, split, "the data")
    answers = run_crops(content, chosen.pixels)
    return {
        "split": {Split.VALIDATION: "PublicTest", Split.TEST: "PrivateTest"}.get(split, "Training"),
        "natural": _by_protocol(answers, chosen, card.temperature, None),
        "balanced": _by_protocol(answers, chosen, card.temperature, card.prior_shift),
    }


def as_lines(result: dict[str, Any]) -> list[str]:
    """The result for people, one line a protocol and prior."""
    lines = []
    for prior in ("natural", "balanced"):
        for protocol, score in result[prior].items():
            lines.append(
                f"{result['split']} {protocol:9} {prior:8} n {score['n']:5}  "
                f"accuracy {score['accuracy']:.2%}  balanced {score['balanced_accuracy']:.2%}  "
                f"macro F1 {score['macro_f1']:.3f}  ECE {score['ece']:.2%}"
            )
    return lines
