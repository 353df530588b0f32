"""Films a picture as the device's camera would see it, and names every frame as the device does.

The head sways a little, the light drifts and flickers, the sensor has noise. Detector, tracker,
crop, quality gate and classifier are the device's with its default settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from device.settings import Settings
from device.vision.stage import (
    DetectAndTrack,
    FaceStage,
    IntervalClassifier,
    TFLiteClassifier,
    build_stage,
)
from device.vocabulary import Classification
from training.reports.evaluate_smoothing import (
    FRAME_RATE_HZ,
    LIGHT_DRIFT,
    LIGHT_FLICKER,
    LIGHT_PERIOD_S,
    SENSOR_NOISE,
)

SWAY = (0.02, 0.015, 2.0, 0.03)  # x, y (of the width), degrees, size
SWAY_PERIODS_S = (2.5, 6.0)
WARM_UP = 3  # frames until the tracker has confirmed a face

Grey = npt.NDArray[np.uint8]  # (height, width)
Film = list[Classification | None]  # one answer a frame; None where no face was found


class FilmCamera:
    """Films faces and has the device's parts name them.

    Args:
        classifier: of the model to measure.
        random: of light, noise and movement.
    """

    def __init__(self, classifier: TFLiteClassifier, random: np.random.Generator) -> None:
        self._classifier, self._random = classifier, random
        self._settings = Settings()
        self._stage: FaceStage = build_stage(self._settings)

    def film(self, pictures: Iterable[Grey]) -> Film:
        """The device's answers to what happens before the camera.

        Args:
            pictures: (height, width) uint8 of one size, one a frame, with one large face.
        """
        interval_s = self._settings.detector.interval_s
        # A clock that stands still: the interval must not depend on this machine's load.
        tracker = DetectAndTrack(self._stage.detect, interval_s, clock=lambda: 0.0)
        classify = self._classifier.classify
        classifier = IntervalClassifier(classify, self._settings.classifier.interval_s)
        film: Film = []
        for number, image in enumerate(self._expose(_warmed_up(pictures))):
            now_s = number / FRAME_RATE_HZ
            found = self._stage.examine(image, tracker.update(image, now_s)[:1])
            answers = classifier.classify(found, now_s)
            film.append(_without_picture(answers[0]) if answers else None)
        return film[WARM_UP:]

    def _expose(self, pictures: Iterable[Grey]) -> Iterator[Grey]:
        random = self._random
        phases = random.uniform(0, 2 * np.pi, len(SWAY) + 1)
        periods_s = [*random.uniform(*SWAY_PERIODS_S, len(SWAY)), LIGHT_PERIOD_S]
        for number, picture in enumerate(pictures):
            height, width = picture.shape
            turns = 2 * np.pi * number / FRAME_RATE_HZ / np.array(periods_s)
            *sway, drift = np.sin(turns + phases) * (*SWAY, LIGHT_DRIFT)
            view = cv2.getRotationMatrix2D((width / 2, height / 2), sway[2], 1 + sway[3])
            view[:, 2] += np.array(sway[:2]) * width
            moved = cv2.warpAffine(picture, view, (width, height), borderMode=cv2.BORDER_REPLICATE)
            gain = np.float32(1 + drift + random.normal(0, LIGHT_FLICKER))
            noise = random.standard_normal(picture.shape, np.float32) * SENSOR_NOISE
            yield np.clip(moved * gain + noise, 0, 255).astype(np.uint8)


def _warmed_up(pictures: Iterable[Grey]) -> Iterator[Grey]:
    """The first picture a few times more."""
    rest = iter(pictures)
    for first in islice(rest, 1):
        yield from [first] * (WARM_UP + 1)
    yield from rest


def _without_picture(answer: Classification) -> Classification:
    """Of the track that the smoother is asked about, without what takes memory."""
    return replace(answer, face=replace(answer.face, track_id=1, crop=None, landmarks=None))
