"""The losses that Keras has not, or not for such targets."""

from __future__ import annotations

from typing import Any

import keras

from training.classifier.posed_pairs import NEUTRAL, REST_LEAD
from training.data.fer2013 import NUM_CLASSES


def cross_entropy(targets: Any, logits: Any) -> Any:
    """(n,) cross-entropy for targets (n, 7) whose sum is the picture's weight, not 1.

    TensorFlow's own has the wrong gradient for such targets.
    """
    return -keras.ops.sum(targets * keras.ops.log_softmax(logits, axis=-1), axis=-1)


class DifferenceLoss(keras.losses.Loss):
    """Cross-entropy of each row, and of its difference to another row of the batch.

    Targets are (b, 16) as ``posed_pairs.with_difference`` makes them, predictions (b, 7) logits.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(b,) losses."""
        ops = keras.ops
        own, difference = y_true[:, :NUM_CLASSES], y_true[:, NUM_CLASSES : 2 * NUM_CLASSES]
        rest = ops.take(y_pred, ops.cast(y_true[:, -2], "int32"), axis=0)
        apart = y_pred - rest + REST_LEAD * ops.one_hot([NEUTRAL], NUM_CLASSES)
        return cross_entropy(own, y_pred) + y_true[:, -1] * cross_entropy(difference, apart)
