"""``training evaluate-smoothing``: flicker against delay, to choose the smoothing's defaults.

A still face is filmed: one picture under sensor noise, drifting and flickering light and a
trembling box, through the real crop, network and smoother, without a face at rest. It is classified
as often as on the device: in every frame until the answer is steady. Every reported change on it is
wrong. The delay is what a true change takes: the picture is exchanged for one that shows another
expression, and the clock runs until that is reported.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.settings import Settings, Smoothing
from device.vision.preprocess import crop_face
from device.vision.stage import (
    ExpressionSmoother,
    IntervalClassifier,
    TFLiteClassifier,
    build_detector,
)
from device.vocabulary import EXPRESSIONS, BoundingBox, Classification, EventType, Expression, Face
from training.data.listings import read_labels
from training.data.pictures import read_grey
from training.files import MODELS, require_output, write_json

FRAME_RATE_HZ = 15
STILL_S = 20  # of each face without a change
CHANGE_S = 4  # watched after a change
SENSOR_NOISE = 4.0  # grey levels, of a small camera indoors
BOX_TREMBLE = 0.02  # of the box side, from one frame to the next
LIGHT_DRIFT = 0.15  # share of the light that comes and goes slowly
LIGHT_PERIOD_S = 5.0
LIGHT_FLICKER = 0.03  # from one frame to the next
SURE = 0.7  # probability of the expression that a face changes to: a change plain to see
WINDOWS_S = (0.1, 0.2, 0.3, 0.4, 0.6)
DWELLS_S = (0.1, 0.2, 0.3, 0.4, 0.6)

# The second picture may be of another person, who has no rest in common with the first.
SMOOTHING = replace(Settings().smoothing, rest="off")

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Film:
    """What the classifier sees, and would say, in every frame.

    Attributes:
        crops: (frames, 48, 48) uint8.
        probabilities: (frames, 7).
    """

    crops: Grey
    probabilities: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True)
class Clip:
    """A face that keeps still, then shows another expression.

    Attributes:
        still: every frame without a change.
        change: every frame after it.
        becomes: what the second picture shows, as its label and the network say.
    """

    still: Film
    change: Film
    becomes: Expression


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("evaluate-smoothing", help="measure flicker against delay")
    parser.add_argument("--pictures", type=Path, required=True, help="folder with labels.csv")
    parser.add_argument("--model", type=Path, default=MODELS / "expression.tflite")
    parser.add_argument("--faces", type=int, default=24, help="pictures to film")
    parser.add_argument("--output", type=Path, help="write the numbers as JSON, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Films once, smooths with every setting, prints the curve."""
    require_output(arguments.output)
    random = np.random.default_rng(arguments.seed)
    classifier = TFLiteClassifier.load(arguments.model, Settings().classifier.prior)
    clips = film_all(arguments.pictures, classifier, arguments.faces, random)
    headings = ["window s", "dwell s", "wrong changes a minute", "delay s (median)",
                "delay s (90 %)", "missed", "frames classified"]  # fmt: skip
    print(f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}")
    rows = []
    for window_s, dwell_s in itertools.product(WINDOWS_S, DWELLS_S):
        smoothing = replace(SMOOTHING, window_s=window_s, dwell_s=dwell_s)
        row = measure(clips, smoothing)
        rows.append({"window_s": window_s, "dwell_s": dwell_s, **row})
        print(f"| {window_s} | {dwell_s} | {' | '.join(f'{v:.2f}' for v in row.values())} |")
    if arguments.output:
        write_json(arguments.output, rows)
    return 0


def film_all(
    folder: Path, classifier: TFLiteClassifier, number: int, random: np.random.Generator
) -> list[Clip]:
    """A clip of each chosen picture, followed by one that shows something else."""
    chosen = recognised(folder, classifier, number, random)
    clips = []
    unsure = (
        f"{folder}: the neural network is sure of fewer than two expressions here; add pictures"
    )
    if not chosen:
        raise UsageError(unsure)
    for index, (picture, face, expression, _) in enumerate(chosen):
        later = chosen[index + 1 :] + chosen[:index]
        other = next((x for x in later if x[2] is not expression and x[3] >= SURE), None)
        if other is None:
            raise UsageError(unsure)
        still = film(picture, face, STILL_S, classifier, random)
        change = film(*other[:2], CHANGE_S, classifier, random)
        clips.append(Clip(still, change, other[2]))
    return clips


def recognised(
    folder: Path, classifier: TFLiteClassifier, number: int, random: np.random.Generator
) -> list[tuple[Grey, Face, Expression, float]]:
    """Pictures whose expression the network names as their label says, and how surely."""
    detector = build_detector(Settings().detector)
    listed = read_labels(folder)
    chosen: list[tuple[Grey, Face, Expression, float]] = []
    for index in random.permutation(len(listed)):
        path, label = listed[index]
        picture = read_grey(path)
        found = detector.detect(picture)[:1]
        faces = [replace(face, crop=crop_face(picture, face)) for face in found]
        chosen += [
            (picture, answer.face, answer.expression, answer.probability)
            for answer in classifier.classify(faces)
            if answer.expression is EXPRESSIONS[label]
        ]
        if len(chosen) == number:
            break
    return chosen


def film(
    picture: Grey,
    face: Face,
    lasts_s: float,
    classifier: TFLiteClassifier,
    random: np.random.Generator,
) -> Film:
    """Every frame of a picture under noise, changing light, a trembling box."""
    crops = []
    phase = random.uniform(0, 2 * np.pi)
    for number in range(round(lasts_s * FRAME_RATE_HZ)):
        drift = np.sin(2 * np.pi * number / FRAME_RATE_HZ / LIGHT_PERIOD_S + phase)
        gain = 1 + LIGHT_DRIFT * drift + random.normal(0, LIGHT_FLICKER)
        noise = random.standard_normal(picture.shape, np.float32) * SENSOR_NOISE
        image = np.clip(picture * np.float32(gain) + noise, 0, 255).astype(np.uint8)
        crops.append(crop_face(image, Face(tremble(face.box, random), face.score)))
    stacked = np.stack(crops)
    return Film(stacked, classifier.probabilities(stacked))


def tremble(box: BoundingBox, random: np.random.Generator) -> BoundingBox:
    """The box as a tracker gives it in one frame."""
    x, y = np.array(box.center) + random.normal(0, BOX_TREMBLE, 2) * box.width
    half = box.width / 2 * (1 + random.normal(0, BOX_TREMBLE))
    return BoundingBox(x - half, y - half, x + half, y + half)


def measure(
    clips: list[Clip], settings: Smoothing, interval_s: float = Settings().classifier.interval_s
) -> dict[str, float]:
    """Flicker and delay of one setting over all clips.

    Args:
        clips: from ``film_all``.
        settings: the smoother's.
        interval_s: between two answers for a steady face.
    """
    wrong, classified, delays = 0, 0, []
    for clip in clips:
        watched = WatchedFace(settings, interval_s)
        wrong += sum(1 for _ in watched.changes(clip.still, 0.0))
        classified += watched.classified
        begins_s = len(clip.still) / FRAME_RATE_HZ
        later = watched.changes(clip.change, begins_s)
        reported = [at_s for at_s, expression in later if expression is clip.becomes]
        if reported:
            delays.append(reported[0] - begins_s)
    frames = sum(len(clip.still) for clip in clips)
    return {
        "wrong_a_minute": wrong / (frames / FRAME_RATE_HZ / 60),
        "delay_s": float(np.median(delays)) if delays else float("nan"),
        "delay_p90_s": float(np.percentile(delays, 90)) if delays else float("nan"),
        "missed": 1 - len(delays) / len(clips),
        "classified": classified / frames,
    }


class WatchedFace:
    """One face in front of the device: classified now and then, and smoothed.

    Attributes:
        classified: frames whose crop the model was shown.
    """

    def __init__(self, settings: Smoothing, interval_s: float) -> None:
        self._classifier = IntervalClassifier(self._answer, interval_s)
        self._smoother = ExpressionSmoother(settings)
        self._probabilities = np.zeros(len(EXPRESSIONS), np.float32)
        self.classified = 0

    def changes(self, film: Film, start_s: float) -> Iterator[tuple[float, Expression]]:
        """(time, expression) of every change that the smoother reports."""
        for number, (crop, self._probabilities) in enumerate(
            zip(film.crops, film.probabilities, strict=True)
        ):
            face = Face(BoundingBox(0, 0, 100, 100), 1.0, track_id=1, crop=crop)
            now_s = start_s + number / FRAME_RATE_HZ
            for event in self._smoother.update(self._classifier.classify([face], now_s), now_s):
                if event.event_type is EventType.CHANGED:
                    yield now_s, event.expression

    def _answer(self, faces: Sequence[Face]) -> list[Classification]:
        """What the model said when the film was made."""
        self.classified += len(faces)
        return [Classification(face, self._probabilities) for face in faces]
