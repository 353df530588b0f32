"""Plays a person's films one after another through the smoother and counts what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from device.settings import Smoothing
from device.vision.stage import ExpressionSmoother
from device.vocabulary import EXPRESSIONS, Classification, EventType, Expression, Frame
from training.reports.evaluate_smoothing import FRAME_RATE_HZ
from training.sequences.camera import Film
from training.sequences.people import NEUTRAL, Person, Showing

REST_S = 3.0  # before, between and after the expressions
GRACE_S = 1.0  # after an expression: so long may it still be named
MAX_DELAY_S = 0.7  # of a change that counts as named in time
OUTCOMES = [*(expression.value for expression in EXPRESSIONS), Expression.UNCERTAIN.value]
BINS = 10  # of probabilities, for the calibration error
NOTHING = Frame(np.zeros((1, 1), np.uint8), 0.0)


@dataclass
class Counts:
    """What one or more people's sequences gave.

    Attributes:
        confusion: (7, 8) what was shown at the apex or at the end of a rest, and what was named.
        delays_s: from the first frame of an expression until it was named; of those that were.
        false_alarms: changes to an expression while the face was at rest.
        flickers: changes beside those: to uncertain, or a second one during an expression.
        rest_s: time at rest, after the grace.
        rest_wrong_s: of it, with an expression named.
        total_s: of all.
        sure: (probability, right) whenever something was judged.
    """

    confusion: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((7, 8), np.int64))
    delays_s: list[float] = field(default_factory=list)
    false_alarms: int = 0
    flickers: int = 0
    rest_s: float = 0.0
    rest_wrong_s: float = 0.0
    total_s: float = 0.0
    sure: list[tuple[float, bool]] = field(default_factory=list)


class Player:
    """One smoother that sees one person."""

    def __init__(self, settings: Smoothing, counts: Counts) -> None:
        self._smoother, self._counts = ExpressionSmoother(settings), counts
        self._number = 0
        self.stable = Expression.UNCERTAIN

    def play(self, film: Film, start: int, num_frames: int) -> Iterator[tuple[float, bool]]:
        """Yields (s since the film's start, whether a change was told) a frame."""
        for number in range(num_frames):
            answer = film[(start + number) % len(film)]
            now_s = self._number / FRAME_RATE_HZ
            told = self._smoother.update(_seen(answer), now_s)
            changed = False
            for event in told:
                if event.event_type is not EventType.VANISHED:
                    self.stable = event.expression
                    changed = event.event_type is EventType.CHANGED
            self._number += 1
            self._counts.total_s += 1 / FRAME_RATE_HZ
            yield (number + 1) / FRAME_RATE_HZ, changed

    def judge(self, shown: int) -> None:
        """Counts what is named now."""
        self._counts.confusion[shown, OUTCOMES.index(self.stable.value)] += 1
        for state in self._smoother.scene(NOTHING).faces:
            if state.expression is not Expression.UNCERTAIN:
                right = state.expression is EXPRESSIONS[shown]
                self._counts.sure.append((state.probability, right))


def play_person(
    person: Person, settings: Smoothing, counts: Counts, random: np.random.Generator
) -> None:
    """Rest, an expression, rest, another one, and so on in random order, and rest at the end."""
    player = Player(settings, counts)
    for index in random.permutation(len(person.showings)):
        _rest(player, person, counts, random)
        _show(player, person.showings[index], counts, random)
    _rest(player, person, counts, random)


def _rest(player: Player, person: Person, counts: Counts, random: np.random.Generator) -> None:
    film = person.rests[random.integers(len(person.rests))]
    frames = round(REST_S * FRAME_RATE_HZ)
    for at_s, changed in player.play(film, int(random.integers(len(film))), frames):
        if at_s <= GRACE_S:
            continue
        wrong = player.stable not in (EXPRESSIONS[NEUTRAL], Expression.UNCERTAIN)
        counts.rest_s += 1 / FRAME_RATE_HZ
        counts.rest_wrong_s += wrong / FRAME_RATE_HZ
        counts.false_alarms += changed and wrong
        counts.flickers += changed and player.stable is Expression.UNCERTAIN
    player.judge(NEUTRAL)


def _show(player: Player, showing: Showing, counts: Counts, random: np.random.Generator) -> None:
    start = int(random.integers(len(showing.film))) if showing.again else 0
    changes, named_s = 0, None
    for number, (at_s, changed) in enumerate(player.play(showing.film, start, showing.num_frames)):
        if number > showing.apex:
            continue
        changes += changed
        if named_s is None and player.stable is EXPRESSIONS[showing.expression]:
            named_s = at_s
        if number == showing.apex:
            player.judge(showing.expression)
    counts.flickers += max(0, changes - 1)
    if named_s is not None:
        counts.delays_s.append(named_s)


def play_long(
    person: Person, showing: Showing, settings: Smoothing, rest_s: float, lasts_s: float
) -> float:
    """Somebody who keeps one expression for minutes.

    Args:
        person: who, seen at rest for ``rest_s`` before.
        showing: the expression.
        settings: of the smoother.
        rest_s: 0: the rest is never seen.
        lasts_s: of the expression.

    Returns:
        Share of the last minute in which the expression is named.
    """
    player = Player(settings, Counts())
    for _ in player.play(person.rests[0], 0, round(rest_s * FRAME_RATE_HZ)):
        pass
    expression = EXPRESSIONS[showing.expression]
    frames = player.play(showing.film, 0, round(lasts_s * FRAME_RATE_HZ))
    right = [player.stable is expression for _ in frames]
    return float(np.mean(right[-60 * FRAME_RATE_HZ :]))


def summarise(counts: Counts) -> dict[str, Any]:
    """The figures of a table's row, as JSON has them."""
    shown = counts.confusion.sum(axis=1)
    recall = {
        expression.value: float(counts.confusion[i, i] / shown[i])
        for i, expression in enumerate(EXPRESSIONS)
        if shown[i]
    }
    delays = np.array(counts.delays_s or [np.nan])
    return {
        "shown": {e.value: int(n) for e, n in zip(EXPRESSIONS, shown, strict=True)},
        "named_right": float(np.mean(list(recall.values()))),
        "recall": recall,
        "false_alarms_a_minute": counts.false_alarms / counts.rest_s * 60,
        "rest_named_wrong": counts.rest_wrong_s / counts.rest_s,
        "flicker_a_minute": counts.flickers / counts.total_s * 60,
        "delay_s": float(np.median(delays)),
        "delay_p90_s": float(np.percentile(delays, 90)),
        "in_time": float(np.mean(delays <= MAX_DELAY_S)),
        "calibration_error": _calibration_error(counts.sure),
        "minutes": counts.total_s / 60,
        "confusion": counts.confusion.tolist(),
    }


def _calibration_error(sure: list[tuple[float, bool]]) -> float:
    """Expected difference between the probability that is told and how often that is right."""
    told, right = np.array(sure, np.float64).reshape(-1, 2).T
    bins = np.clip((told * BINS).astype(int), 0, BINS - 1)
    parts = [(bins == b) for b in range(BINS) if (bins == b).any()]
    return float(sum(abs(told[p].mean() - right[p].mean()) * p.mean() for p in parts))


def _seen(answer: Classification | None) -> list[Classification]:
    return [] if answer is None else [answer]
