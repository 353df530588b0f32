"""The resting face of one track: what the model answers while this person shows nothing.

Some faces at rest look sad or angry to the model, and many people's anger or disgust look neutral
to it. Both are constant for one person under one camera, so the answer at rest is estimated while
the face is seen, and what is named is the difference to it. Seven numbers; they end with the track.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from device.vocabulary import EXPRESSIONS, Expression, Probabilities

NEUTRAL, SAD = EXPRESSIONS.index(Expression.NEUTRAL), EXPRESSIONS.index(Expression.SAD)
AT_REST = (NEUTRAL, SAD, EXPRESSIONS.index(Expression.ANGRY))
"""What a face at rest may look like; nobody rests with a smile or with surprise."""

MIN_PROBABILITY = 1e-6  # a smaller one says nothing more
MIN_NEUTRAL = 0.05  # probability below which an answer says nothing about the rest
MAX_STEP_S = 0.5  # an answer stands for no longer than this, however late the next one comes
MARGIN_WIDTH = 2.0  # an answer so much less neutral than the most neutral ones counts 1/e of them
MARGIN_FALL = 0.02  # a second: how quickly the most neutral answer is forgotten
MEMORY_S = 60.0  # of weight: the estimate follows no quicker than this once it is old
KNOWN_S = 0.7  # of weight until the rest is known to 63 %
DOUBT_S = 120.0  # after so long without a neutral answer the rest is believed 1/e as much
CALIBRATION_S = 2.0

SCALE = 3.5  # a difference says this much more than the answer itself: people differ, rests do not
NEUTRAL_BONUS = 1.3  # smallest difference that is an expression
SAD_SURPLUS = 1.0  # how much of sad's difference comes with any unpleasant expression

Logits = npt.NDArray[np.float64]  # (7,), up to a constant


class RestingFace:
    """Estimates the answer at rest and names what differs from it."""

    def __init__(self) -> None:
        self._rest: Logits = np.zeros(len(EXPRESSIONS))
        self._weight_s = self._evidence_s = 0.0
        self._most_neutral: float | None = None
        self._calibrating_s = 0.0
        self._calibrated = False

    @property
    def known(self) -> float:
        """How well the rest is known, 0 to 1."""
        return 1 - math.exp(-self._evidence_s / KNOWN_S)

    def calibrate(self) -> None:
        """The next two seconds show this face at rest, whatever the model says of them."""
        self._weight_s = self._evidence_s = 0.0
        self._most_neutral = None
        self._calibrating_s, self._calibrated = CALIBRATION_S, True

    def observe(self, probabilities: Probabilities, elapsed_s: float) -> None:
        """Takes one answer of the model.

        Args:
            probabilities: (7,).
            elapsed_s: since the answer before.
        """
        logits = _logits(probabilities)
        step_s = min(max(elapsed_s, 0.0), MAX_STEP_S)
        weight_s = self._weigh(logits, step_s)
        if not self._calibrated:
            self._evidence_s *= math.exp(-step_s / DOUBT_S)
        self._evidence_s = min(self._evidence_s + weight_s, MEMORY_S)
        self._weight_s = min(self._weight_s + weight_s, MEMORY_S)
        if self._weight_s > 0:
            self._rest += weight_s / self._weight_s * (logits - self._rest)
        self._end_calibration(step_s)

    def relative(self, probabilities: Probabilities) -> Probabilities:
        """(7,) probabilities given how this face looks at rest, as far as that is known.

        Args:
            probabilities: (7,) the model's answer.
        """
        logits, known = _logits(probabilities), self.known
        difference = logits - self._rest
        difference[NEUTRAL] += NEUTRAL_BONUS
        difference[SAD] -= SAD_SURPLUS
        return _softmax((1 - known) * logits + known * SCALE * difference)

    def _weigh(self, logits: Logits, step_s: float) -> float:
        """How many seconds of rest this answer stands for."""
        margin = _margin(logits)
        before = margin if self._most_neutral is None else self._most_neutral
        self._most_neutral = max(margin, before - MARGIN_FALL * step_s)
        if self._calibrating_s > 0:
            return step_s
        if int(np.argmax(logits)) not in AT_REST:
            return 0.0
        likeness = math.exp(-(self._most_neutral - margin) / MARGIN_WIDTH)
        neutral = max(0.0, float(_softmax(logits)[NEUTRAL]) - MIN_NEUTRAL) / (1 - MIN_NEUTRAL)
        return neutral**2 * likeness * step_s

    def _end_calibration(self, step_s: float) -> None:
        """A calibrated rest is as good as one that was seen for a minute."""
        if self._calibrating_s > 0:
            self._calibrating_s -= step_s
            if self._calibrating_s <= 0:
                self._weight_s = self._evidence_s = MEMORY_S


def _margin(logits: Logits) -> float:
    """By how much neutral leads the others, negative where it does not."""
    return float(logits[NEUTRAL] - np.delete(logits, NEUTRAL).max())


def _logits(probabilities: Probabilities) -> Logits:
    return np.log(np.maximum(probabilities.astype(np.float64), MIN_PROBABILITY))


def _softmax(logits: Logits) -> Probabilities:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), np.float32)
