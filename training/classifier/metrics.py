"""What a classifier is worth: the paper's Eqs. 7-10, calibration, and the three protocols.

A protocol is a choice of pictures and of labels. Every figure names its protocol and n:

* ``fer2013``: FER2013's own labels, all pictures of the split.
* ``majority``: FER+; one of the seven expressions has more than half of the votes.
* ``clean``: FER+; at least eight of ten annotators agree on one of the seven.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.vocabulary import EXPRESSIONS
from training.data.fer2013 import NUM_CLASSES, Pictures

Logits = npt.NDArray[np.float32]  # (n, 7)
Labels = npt.NDArray[np.int64]  # (n,)

PROTOCOLS = ("fer2013", "majority", "clean")
CLEAN_VOTES = 8
MIN_PRIOR = 1e-4  # of an expression that training lacks
NUM_BINS = 15  # of the reliability diagram


@dataclass(frozen=True)
class Truth:
    """One protocol's pictures and labels.

    Attributes:
        chosen: (n,) mask over the pictures of the split.
        labels: (chosen,) in FER2013 order.
    """

    chosen: npt.NDArray[np.bool_]
    labels: Labels


def truth_of(pictures: Pictures, protocol: str) -> Truth:
    """Which pictures a protocol takes, and what is right for each."""
    if protocol == "fer2013":
        return Truth(np.ones(len(pictures), bool), pictures.labels)
    crowd = pictures.crowd()
    if protocol == "majority":
        chosen = 2 * crowd.max(axis=1) > pictures.votes.sum(axis=1)
    else:
        chosen = crowd.max(axis=1) >= CLEAN_VOTES
    return Truth(chosen, crowd.argmax(axis=1)[chosen])


def protocols_for(pictures: Pictures) -> tuple[str, ...]:
    """The protocols that these pictures allow: without votes, only FER2013's labels."""
    return PROTOCOLS if pictures.has_votes else PROTOCOLS[:1]


def softmax(logits: Logits, temperature: float = 1.0) -> Logits:
    """(n, 7) probabilities of the logits divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), np.float32)


def cross_entropy(logits: Logits, labels: Labels) -> float:
    """Mean cross-entropy in nats of (n, 7) logits."""
    right = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def confusion_matrix(labels: Labels, predicted: Labels) -> npt.NDArray[np.int64]:
    """(7, 7) counts; rows are the labels, columns what was predicted."""
    counts = np.bincount(labels * NUM_CLASSES + predicted, minlength=NUM_CLASSES**2)
    return np.asarray(counts.reshape(NUM_CLASSES, NUM_CLASSES))


def scores(logits: Logits, labels: Labels, temperature: float = 1.0) -> dict[str, Any]:
    """Accuracy, balanced accuracy, ECE; precision, recall and F1 per class and as plain means.

    A class without pictures has no recall and stays out of the balanced accuracy.
    """
    confusion = confusion_matrix(labels, logits.argmax(axis=1))
    right = np.diag(confusion).astype(float)
    expected, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(expected, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    names = [expression.value for expression in EXPRESSIONS]
    return {
        "n": len(labels),
        "accuracy": round(float(right.sum() / max(len(labels), 1)), 4),
        "balanced_accuracy": round(float(recall[expected > 0].mean()), 4),
        "macro_precision": round(float(precision.mean()), 4),
        "macro_recall": round(float(recall.mean()), 4),
        "macro_f1": round(float(f1.mean()), 4),
        "ece": round(calibration_error(softmax(logits, temperature), labels), 4),
        "classes": {
            name: {
                "n": int(expected[k]),
                "precision": round(float(precision[k]), 4),
                "recall": round(float(recall[k]), 4),
                "f1": round(float(f1[k]), 4),
            }
            for k, name in enumerate(names)
        },
        "confusion": confusion.tolist(),
    }


def reliability(probabilities: Logits, labels: Labels) -> npt.NDArray[np.float64]:
    """(bins, 3): how many answers fall into each bin, their mean probability and accuracy."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    counts = np.bincount(bins, minlength=NUM_BINS)
    mean = np.bincount(bins, confidence, NUM_BINS) / np.maximum(counts, 1)
    accuracy = np.bincount(bins, right, NUM_BINS) / np.maximum(counts, 1)
    return np.stack([counts, mean, accuracy], axis=1)


def calibration_error(probabilities: Logits, labels: Labels) -> float:
    """ECE over 15 bins of equal width (Guo et al., "On Calibration of Modern Neural Networks")."""
    counts, mean, accuracy = reliability(probabilities, labels).T
    return float((counts * np.abs(mean - accuracy)).sum() / max(counts.sum(), 1))


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature with the lowest negative log-likelihood, to two digits."""
    candidates = np.arange(0.3, 3.0, 0.01)
    rows = np.arange(len(labels))
    losses = [
        -np.log(np.maximum(softmax(logits, t)[rows, labels], 1e-9)).mean() for t in candidates
    ]
    return round(float(candidates[int(np.argmin(losses))]), 2)


def fit_prior_shift(
    logits: Logits, labels: Labels, prior: npt.NDArray[np.float64]
) -> tuple[float, list[float]]:
    """How far to lift the rare expressions: ``-strength * log(prior)``, its mean taken out.

    By Bayes' rule strength 1 makes all expressions equally likely where they were as common as
    ``prior`` says. Less fits better where a network has not taken the prior over in full. Chosen
    by cross-entropy with each class weighing the same, not by accuracy: of the rare ones
    validation has a dozen pictures, and one more or less that is right says nothing.

    Args:
        logits: (n, 7) on validation, calibrated.
        labels: (n,) there.
        prior: (7,) share of each class in the training targets.

    Returns:
        The strength, 0 to 1, and the (7,) shift.
    """
    direction = -np.log(np.maximum(prior, MIN_PRIOR))
    direction -= direction.mean()
    weights = 1.0 / np.maximum(np.bincount(labels, minlength=len(prior)), 1)[labels]
    best, least = 0.0, np.inf
    for strength in np.linspace(0, 1, 21):
        sure = softmax((logits + strength * direction).astype(np.float32))
        cost = -np.average(np.log(sure[np.arange(len(labels)), labels] + 1e-12), weights=weights)
        if cost < least:
            best, least = float(strength), cost
    return round(best, 2), [round(float(v), 4) for v in best * direction]
