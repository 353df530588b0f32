from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from device.settings.tree import Smoothing
from device.vision.expression_smoother import ExpressionSmoother
from device.vocabulary import (
    EXPRESSIONS,
    BoundingBox,
    Classification,
    EventType,
    Expression,
    ExpressionEvent,
    Face,
    Frame,
)

FRAME_S = 1 / 15
SETTINGS = Smoothing(
    threshold=0.45, window_s=0.4, dwell_s=0.4, refractory_s=0.5, vanish_after_s=1.0
)


def answer(
    expression: Expression,
    probability: float = 0.9,
    track_id: int = 1,
    rejection_reason: str | None = None,
) -> Classification:
    probabilities = np.full(7, (1 - probability) / 6, np.float32)
    probabilities[EXPRESSIONS.index(expression)] = probability
    face = Face(
        BoundingBox(0, 0, 50, 50), 0.9, track_id=track_id, rejection_reason=rejection_reason
    )
    return Classification(face, probabilities)


def play(
    smoother: ExpressionSmoother, answers: list[list[Classification]], start_s: float = 0.0
) -> list[ExpressionEvent]:
    events = []
    for number, frame in enumerate(answers):
        events += smoother.update(frame, start_s + number * FRAME_S)
    return events


def scene_of(smoother: ExpressionSmoother, at_s: float = 0.0):
    return smoother.scene(Frame(np.zeros((480, 640), np.uint8), at_s))


def test_a_face_appears_within_half_a_second_and_once() -> None:
    events = play(ExpressionSmoother(SETTINGS), [[answer(Expression.HAPPY)]] * 30)
    assert [(e.event_type, e.expression, e.previous) for e in events] == [
        (EventType.APPEARED, Expression.HAPPY, None)
    ]
    assert 0.1 < events[0].at_s <= 0.5
    assert events[0].duration_ms == 0
    assert events[0].probability == pytest.approx(0.9)


def test_nothing_is_announced_before_it_settles() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    assert play(smoother, [[answer(Expression.HAPPY)]] * 2) == []
    assert scene_of(smoother).faces == ()


def test_a_face_without_a_leader_appears_uncertain() -> None:
    events = play(ExpressionSmoother(SETTINGS), [[answer(Expression.HAPPY, 0.3)]] * 30)
    assert [e.expression for e in events] == [Expression.UNCERTAIN]
    assert events[0].probabilities[3] == pytest.approx(0.3)


def test_a_change_counts_after_its_dwell_and_says_what_was_before() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[answer(Expression.HAPPY)]] * 30)
    events = play(smoother, [[answer(Expression.SAD)]] * 30, start_s=2.0)
    assert [(e.event_type, e.expression, e.previous) for e in events] == [
        (EventType.CHANGED, Expression.SAD, Expression.HAPPY)
    ]
    assert 2.4 <= events[0].at_s <= 2.8
    assert events[0].duration_ms == pytest.approx((events[0].at_s - 0.2) * 1000, abs=70)


def test_a_glance_shorter_than_the_dwell_is_not_a_change() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    glance = [[answer(Expression.SURPRISE)]] * 4  # 270 ms
    smile = [[answer(Expression.HAPPY)]] * 15
    events = play(smoother, smile + glance + smile)
    assert [e.event_type for e in events] == [EventType.APPEARED]


def test_flicker_between_two_classes_is_no_stream_of_events() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    flicker = [[answer(EXPRESSIONS[3 + number % 2], 0.6)] for number in range(150)]
    events = play(smoother, flicker)
    assert len(events) <= 2


def test_refractory_time_holds_back_the_next_change() -> None:
    settings = Smoothing(window_s=0, dwell_s=0, refractory_s=1.0)
    smoother = ExpressionSmoother(settings)
    events = play(smoother, [[answer(EXPRESSIONS[3 + number % 2])] for number in range(46)])
    times = [e.at_s for e in events]
    assert next(e.event_type for e in events) is EventType.APPEARED
    assert all(b - a >= 1.0 - 1e-9 for a, b in itertools.pairwise(times))
    assert len(events) >= 3


def test_an_unseen_face_vanishes_and_tells_how_long_it_stayed() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[answer(Expression.HAPPY)]] * 31)  # seen for 2 s
    assert smoother.update([], 2.9) == []
    assert len(scene_of(smoother).faces) == 1
    events = smoother.update([], 3.1)
    assert [(e.event_type, e.expression, e.previous) for e in events] == [
        (EventType.VANISHED, Expression.HAPPY, Expression.HAPPY)
    ]
    assert events[0].duration_ms == pytest.approx(2000, abs=5)
    assert scene_of(smoother).faces == ()
    assert smoother.update([], 9.0) == []


def test_a_face_never_announced_vanishes_in_silence() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    smoother.update([answer(Expression.HAPPY)], 0.0)
    assert smoother.update([], 5.0) == []


def test_one_blurred_frame_changes_nothing_and_a_blurred_face_becomes_uncertain() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    good, blurred = (
        [answer(Expression.HAPPY)],
        [answer(Expression.HAPPY, rejection_reason="blurred")],
    )
    assert len(play(smoother, [good] * 15 + [blurred] + [good] * 15)) == 1
    events = play(smoother, [blurred] * 15, start_s=3.0)
    assert [(e.expression, e.previous) for e in events] == [
        (Expression.UNCERTAIN, Expression.HAPPY)
    ]
    state = scene_of(smoother).faces[0]
    assert (state.expression, state.rejection_reason) == (Expression.UNCERTAIN, "blurred")


def test_tracks_do_not_mix() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    frame = [answer(Expression.HAPPY), answer(Expression.ANGRY, track_id=2)]
    events = play(smoother, [frame] * 15)
    assert {(e.track_id, e.expression) for e in events} == {
        (1, Expression.HAPPY),
        (2, Expression.ANGRY),
    }


def test_scene_is_largest_first_and_says_since_when() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    small = answer(Expression.HAPPY)
    large = Classification(Face(BoundingBox(0, 0, 200, 200), 0.9, track_id=2), small.probabilities)
    play(smoother, [[small, large]] * 15)
    scene = scene_of(smoother, 1.0)
    assert [state.track_id for state in scene.faces] == [2, 1]
    assert (scene.frame_width, scene.frame_height, scene.at_s) == (640, 480, 1.0)
    assert scene.faces[0].since_s == pytest.approx(0.2)


def test_the_scene_says_for_how_long_a_face_has_been_missing() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[answer(Expression.HAPPY)]] * 16)
    assert scene_of(smoother, 1.0).faces[0].missing_s == 0
    smoother.update([], 1.75)
    assert scene_of(smoother, 1.75).faces[0].missing_s == pytest.approx(0.75)


def test_a_face_without_a_track_is_left_alone() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    untracked = Classification(Face(BoundingBox(0, 0, 9, 9), 1), np.full(7, 1 / 7, np.float32))
    assert play(smoother, [[untracked]] * 30) == []


def test_probability_is_that_of_the_expression_that_is_named() -> None:
    """Sad leads already when the face goes, but happy was the last that was stable."""
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[answer(Expression.HAPPY)]] * 30)
    play(smoother, [[answer(Expression.SAD)]] * 5, start_s=2.0)
    state = scene_of(smoother).faces[0]
    assert state.expression is Expression.HAPPY
    assert 0.35 <= state.probability <= 0.9  # the threshold less its hysteresis, at least
    assert state.probabilities[3] < state.probabilities[4]  # the distribution is today's
    (vanished,) = smoother.update([], 9.0)
    assert vanished.expression is Expression.HAPPY
    assert vanished.probability == pytest.approx(state.probability)
    assert vanished.probabilities[4] > vanished.probabilities[3]


def test_everybody_vanishes_at_once_when_nobody_is_watched_any_more() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[answer(Expression.HAPPY)]] * 30)
    smoother.update([answer(Expression.SAD, track_id=2)], 2.0)  # not announced yet
    events = smoother.clear(2.1)
    assert [(e.event_type, e.track_id) for e in events] == [(EventType.VANISHED, 1)]
    assert smoother.clear(2.2) == []
    assert scene_of(smoother).faces == ()


def test_a_number_is_used_once_though_the_tracker_goes_on_with_a_track() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    events = play(smoother, [[answer(Expression.HAPPY)]] * 30)
    events += smoother.clear(2.0)
    events += play(smoother, [[answer(Expression.HAPPY)]] * 30, start_s=2.3)
    assert [(e.event_type, e.track_id) for e in events] == [
        (EventType.APPEARED, 1),
        (EventType.VANISHED, 1),
        (EventType.APPEARED, 2),
    ]
    assert scene_of(smoother).faces[0].track_id == 2


def looks_sad_at_rest() -> Classification:
    """Sad leads and neutral follows: a face at rest that the model takes for a sad one."""
    probabilities = np.array([0.02, 0.02, 0.02, 0.02, 0.57, 0.02, 0.33], np.float32)
    return Classification(Face(BoundingBox(0, 0, 50, 50), 0.9, track_id=1), probabilities)


def test_a_face_that_looks_sad_at_rest_becomes_neutral_and_says_how_well_that_is_known() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[looks_sad_at_rest()]] * 15)
    first = scene_of(smoother).faces[0]
    assert first.expression is Expression.SAD
    assert first.rest_known < 0.3
    events = play(smoother, [[looks_sad_at_rest()]] * 300, start_s=1.0)
    assert [e.expression for e in events] == [Expression.NEUTRAL]
    assert scene_of(smoother).faces[0].rest_known > 0.8


def test_without_the_rest_the_answer_is_taken_as_it_is() -> None:
    smoother = ExpressionSmoother(replace(SETTINGS, rest="off"))
    play(smoother, [[looks_sad_at_rest()]] * 300)
    state = scene_of(smoother).faces[0]
    assert (state.expression, state.rest_known) == (Expression.SAD, 0)
    assert smoother.calibrate(299 * FRAME_S) == 0


def test_a_rest_ends_with_its_track() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[looks_sad_at_rest()]] * 300)
    smoother.update([], 30.0)
    (event,) = play(smoother, [[looks_sad_at_rest()]] * 15, start_s=30.1)
    assert (event.event_type, event.expression) == (EventType.APPEARED, Expression.SAD)


def test_only_faces_that_are_in_view_are_calibrated() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[looks_sad_at_rest(), answer(Expression.HAPPY, track_id=2)]] * 15)
    smoother.update([looks_sad_at_rest()], 1.1)
    assert smoother.calibrate(1.1) == 1
    play(smoother, [[looks_sad_at_rest()]] * 40, start_s=1.2)
    assert scene_of(smoother).faces[0].expression is Expression.NEUTRAL
    assert scene_of(smoother).faces[0].rest_known > 0.9


def test_a_frame_without_a_new_answer_keeps_the_name_and_the_mean_and_shows_the_face() -> None:
    smoother = ExpressionSmoother(SETTINGS)
    play(smoother, [[answer(Expression.HAPPY)]] * 15)
    before = scene_of(smoother, 14 * FRAME_S).faces[0]
    repeated = replace(answer(Expression.SAD), is_new=False)
    assert play(smoother, [[repeated]] * 30, start_s=1.0) == []
    at_s = 1.0 + 29 * FRAME_S
    after = scene_of(smoother, at_s).faces[0]
    assert after.expression is Expression.HAPPY
    assert after.missing_s == 0
    assert np.array_equal(after.probabilities, before.probabilities)


def test_answers_now_and_then_fade_by_the_time_between_them() -> None:
    dense, sparse = ExpressionSmoother(SETTINGS), ExpressionSmoother(SETTINGS)
    for number in range(40):
        dense.update([answer(Expression.HAPPY)], number * FRAME_S)
        new = number % 4 == 0
        sparse.update([replace(answer(Expression.HAPPY), is_new=new)], number * FRAME_S)
    for smoother in (dense, sparse):
        smoother.update([answer(Expression.SAD)], 40 * FRAME_S)
    happy = EXPRESSIONS.index(Expression.HAPPY)
    means = [scene_of(s, 40 * FRAME_S).faces[0].probabilities[happy] for s in (sparse, dense)]
    assert means[0] < means[1]  # fewer answers stand for the past
