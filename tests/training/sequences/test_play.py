from __future__ import annotations

import numpy as np
import pytest

from device.settings import Smoothing
from device.vocabulary import EXPRESSIONS, BoundingBox, Classification, Expression, Face
from training.sequences.evaluate import looks_unpleasant, play_all
from training.sequences.people import NEUTRAL, Person, Showing
from training.sequences.play import Counts, play_long, play_person, summarise

ANGRY, HAPPY, SAD = 0, 3, 4
FRAME_RATE_HZ = 15


def film(expression: int, seconds: float = 2.0, probability: float = 0.8):
    probabilities = np.full(7, (1 - probability) / 6, np.float32)
    probabilities[expression] = probability
    answer = Classification(Face(BoundingBox(0, 0, 9, 9), 1, track_id=1), probabilities)
    return [answer] * round(seconds * FRAME_RATE_HZ)


def shown(expression: int, looks: int | None = None) -> Showing:
    return Showing(expression, film(expression if looks is None else looks), 30, 29, again=True)


def play(person: Person, rest: str = "off") -> dict:
    counts = Counts()
    play_person(person, Smoothing(rest=rest), counts, np.random.default_rng(0))
    return summarise(counts)


def test_what_is_plain_to_see_is_named_in_time_without_a_false_alarm() -> None:
    row = play(Person("a", [film(NEUTRAL)], [shown(HAPPY), shown(SAD)]))
    assert row["named_right"] == 1
    assert row["shown"] == {**dict.fromkeys((e.value for e in EXPRESSIONS), 0), "happy": 1,
                            "sad": 1, "neutral": 3}  # fmt: skip
    assert 0.4 <= row["delay_s"] <= 0.7
    assert (row["false_alarms_a_minute"], row["rest_named_wrong"], row["flicker_a_minute"]) == (
        0, 0, 0)  # fmt: skip


def test_what_is_named_wrongly_stands_in_the_confusion() -> None:
    row = play(Person("a", [film(NEUTRAL)], [shown(ANGRY, looks=SAD)]))
    assert row["confusion"][ANGRY][SAD] == 1
    assert row["recall"] == {"angry": 0, "neutral": 1}
    assert np.isnan(row["delay_s"])


def test_an_expression_named_at_rest_is_a_false_alarm_a_minute_at_rest() -> None:
    """Two seconds of neutral, then two of sad, again and again: at least one in each rest."""
    restless = film(NEUTRAL, 1.5) + film(SAD, 1.5)
    row = play(Person("a", [restless], [shown(HAPPY)] * 9))
    assert row["false_alarms_a_minute"] > 10
    assert 0.2 < row["rest_named_wrong"] < 0.8


def test_an_expression_that_goes_is_judged_before_it_has_gone() -> None:
    moving = film(HAPPY, 1.0) + film(NEUTRAL, 1.0)
    person = Person("a", [film(NEUTRAL)], [Showing(HAPPY, moving, 30, 14, again=False)])
    assert play(person)["recall"]["happy"] == 1


def test_frames_without_a_face_are_borne() -> None:
    gaps = [answer if number % 2 else None for number, answer in enumerate(film(HAPPY))]
    person = Person("a", [film(NEUTRAL)], [Showing(HAPPY, gaps, 30, 29, again=True)])
    assert play(person)["recall"]["happy"] == 1


def test_the_rest_makes_a_difference_where_a_face_looks_sad_at_rest() -> None:
    sad_looking = film(SAD, probability=0.5)
    sad_looking[0].probabilities[NEUTRAL] = 0.4  # the same answer in each frame
    sad_looking[0].probabilities[:] /= sad_looking[0].probabilities.sum()
    person = Person("a", [sad_looking], [shown(HAPPY) for _ in range(6)])
    assert looks_unpleasant(person)
    assert play(person, "off")["recall"]["neutral"] == 0
    assert play(person, "auto")["recall"]["neutral"] >= 5 / 7


def test_who_keeps_smiling_is_judged_in_the_last_minute() -> None:
    person = Person("a", [film(NEUTRAL)], [shown(HAPPY)])
    assert play_long(person, person.showings[0], Smoothing(), 5, 120) == 1
    half = Showing(HAPPY, film(SAD, 60) + film(HAPPY, 60), 30, 29, again=True)
    assert play_long(person, half, Smoothing(), 0, 120) == pytest.approx(1, abs=0.02)


def test_all_people_are_played_with_the_setting_asked_for() -> None:
    person = Person("a", [film(NEUTRAL)], [shown(HAPPY)])
    row = play_all([person, person], "auto", 1, 0)
    assert row["smile_alone"] == row["smile_after_rest"] == 1
    assert row["shown"]["happy"] == 2
    assert not looks_unpleasant(person)


def test_probabilities_as_high_as_they_are_right_have_no_calibration_error() -> None:
    counts = Counts(sure=[(0.75, True)] * 3 + [(0.75, False)], rest_s=1, total_s=1)
    counts.confusion[0, 0] = 1
    assert summarise(counts)["calibration_error"] == pytest.approx(0)
    counts.sure = [(0.95, False)] * 4
    assert summarise(counts)["calibration_error"] == pytest.approx(0.95)


def test_uncertain_is_no_false_alarm() -> None:
    vague = film(SAD, 1.5, 1 / 7)
    row = play(Person("a", [film(NEUTRAL, 1.5) + vague], [shown(HAPPY)] * 5))
    assert row["false_alarms_a_minute"] == 0
    assert row["flicker_a_minute"] > 0
    assert Expression.UNCERTAIN.value not in row["recall"]
