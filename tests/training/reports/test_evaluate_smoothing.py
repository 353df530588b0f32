from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.vision.classifier import TFLiteClassifier
from device.vision.expression_smoother import SmoothingSettings
from device.vocabulary import BoundingBox, Expression, Face
from training.reports.evaluate_smoothing import (
    FRAME_RATE_HZ,
    Clip,
    Film,
    WatchedFace,
    film,
    measure,
    tremble,
)

MODEL = Path(__file__).parents[2] / "golden/brightness.tflite"
HAPPY, SAD = 3, 4


def frames_of(index: int, seconds: float, probability: float = 0.9) -> Film:
    probabilities = np.full((round(seconds * FRAME_RATE_HZ), 7), (1 - probability) / 6, np.float32)
    probabilities[:, index] = probability
    picture = np.random.default_rng(index).integers(0, 255, (48, 48), np.uint8)
    return Film(np.repeat(picture[None], len(probabilities), axis=0), probabilities)


def joined(films: list[Film]) -> Film:
    return Film(
        np.concatenate([film.crops for film in films]),
        np.concatenate([film.probabilities for film in films]),
    )


def test_a_steady_face_has_no_flicker_and_the_delay_is_the_smoother_s() -> None:
    clip = Clip(frames_of(HAPPY, 4), frames_of(SAD, 4), Expression.SAD)
    row = measure([clip], SmoothingSettings(window_s=0.3, dwell_s=0.3))
    assert row["wrong_a_minute"] == 0
    assert 0.3 <= row["delay_s"] <= 0.7
    assert row["missed"] == 0


def test_less_smoothing_flickers_more() -> None:
    flicker = joined([frames_of(HAPPY if i % 2 else SAD, 0.4) for i in range(20)])
    clip = Clip(flicker, frames_of(SAD, 2), Expression.SAD)
    quick = measure([clip], SmoothingSettings(window_s=0.05, dwell_s=0.1, refractory_s=0))
    slow = measure([clip], SmoothingSettings(window_s=0.6, dwell_s=0.6))
    assert quick["wrong_a_minute"] > slow["wrong_a_minute"]


def test_a_change_that_is_never_reported_is_missed() -> None:
    clip = Clip(frames_of(HAPPY, 2), frames_of(HAPPY, 2), Expression.SAD)
    row = measure([clip], SmoothingSettings())
    assert row["missed"] == 1
    assert np.isnan(row["delay_s"])


def test_changes_carry_their_time() -> None:
    watched = WatchedFace(SmoothingSettings(), interval_s=0.25)
    assert list(watched.changes(frames_of(HAPPY, 2), 0.0)) == []
    (at_s, expression), *rest = watched.changes(frames_of(SAD, 2), 2.0)
    assert rest == []
    assert expression is Expression.SAD
    assert 2.2 < at_s < 3.2


def test_film_has_noise_but_the_same_face() -> None:
    random = np.random.default_rng(0)
    classifier = TFLiteClassifier.load(MODEL)
    bright = np.full((80, 80), 220, np.uint8)
    face = Face(BoundingBox(20, 20, 60, 60), 1)
    answers = film(bright, face, 2, classifier, random).probabilities
    assert answers.shape == (30, 7)
    assert (answers.argmax(axis=1) == HAPPY).all()
    assert answers[:, HAPPY].std() > 0


def test_a_trembling_box_stays_about_where_it_is() -> None:
    random = np.random.default_rng(0)
    boxes = [tremble(BoundingBox(0, 0, 100, 100), random) for _ in range(50)]
    assert np.mean([box.center for box in boxes]) == pytest.approx(50, abs=2)
    assert 1 < np.std([box.center[0] for box in boxes]) < 4


def test_a_steady_face_is_classified_in_few_frames() -> None:
    clip = Clip(frames_of(HAPPY, 8), frames_of(SAD, 4), Expression.SAD)
    assert measure([clip], SmoothingSettings(), interval_s=0.25)["classified"] < 0.35
    assert measure([clip], SmoothingSettings(), interval_s=0.0)["classified"] == 1
