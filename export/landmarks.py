"""``export landmarks``: a run of the landmark model becomes ``landmarks.tflite`` and its card.

Weights of 8 bits change the answers by less than 0.0002 eye distances and let the model have
twice the weights in the same file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from device.vision.model_card import ModelCard
from device.vision.preprocess import CROP_PX
from device.vision.tflite import TFLiteModel
from export.card import drawn_face, make_card
from export.convert import Precision, convert
from export.door import Candidate, add_options, deliver
from export.gate import Limit, old_runtime_limit, size_limit, time_limit, time_of_face_ms
from export.in_place import Comparison
from export.pair import require_writable
from export.parity import run_crops
from training.landmarks.faces import Sample
from training.landmarks.measure import (
    errors_of_looks,
    errors_on_device,
    held_out_samples,
    looks_at,
)
from training.landmarks.train import KIND, load_network, predict
from training.runs import read_settings

PRECISION: Precision = "dynamic"
LOOKS_A_FACE = 4
MAX_OFF_PX = 0.05  # of the crop, between the model and its file, on average
MAX_ERROR_GAIN = 0.001  # of the crop's side, by the conversion
MAX_BYTES = 150_000
MAX_LOOK_MS = 5.0  # the device looks twice at each face


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser(KIND, help="a landmark run to what the device may run")
    parser.add_argument("run_path", type=Path, metavar="RUN", help="run directory of landmarks")
    parser.add_argument("--afw", type=Path, help="AFW to measure on, default: the run's own")
    add_options(parser)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Converts, compares, measures on held-out files, and only then writes."""
    require_writable(arguments.models)
    run = arguments.run_path
    settings = read_settings(run, KIND)
    model = load_network(run)
    samples = held_out_samples(arguments.afw or Path(settings["data"]["afw"]))
    print(f"{run}: converting as {PRECISION}", flush=True)
    content = convert(for_device(model), PRECISION)
    parity, limits = compare_with(model, content, samples)
    print(f"{PRECISION}: {parity}", flush=True)
    errors = errors_on_device(content, samples)
    facts = {
        "run": run_facts(run, settings),
        "parity": {"weights": PRECISION, **parity},
        "metrics": summary(errors),
        "data": f"{settings['data']['annotated']} AFW faces by their annotation, "
                f"{settings['data']['taught']} FER2013 pictures by MediaPipe's face landmark "
                "model (Apache-2.0)",
        "licence": "Apache-2.0 for the file; the pictures are under their owners' terms",
    }  # fmt: skip
    card = make_card("landmarks", "landmarks", content, command, facts)
    against = comparison_with(errors, samples)
    deliver(Candidate(content, card, limits, f"{parity['n']} looks at held-out faces", against),
            arguments.models, arguments.force)  # fmt: skip
    return 0


def for_device(model: keras.Model) -> keras.Model:
    """The model with uint8 pixels in."""
    pixels = keras.Input((CROP_PX, CROP_PX, 1), dtype="uint8", name="pixels")
    return keras.Model(pixels, model(keras.ops.cast(pixels, "float32")))


def compare_with(
    model: keras.Model, content: bytes, samples: Sequence[Sample]
) -> tuple[dict[str, float], list[Limit]]:
    """How the file and its model see the same faces, and the limits of it."""
    crops, points = looks_at(samples, LOOKS_A_FACE)
    expected, actual = predict(model, crops), run_crops(content, crops)
    off_px = float(errors_of_looks(actual, expected).mean()) * CROP_PX
    gain = float(errors_of_looks(actual, points).mean() - errors_of_looks(expected, points).mean())
    file, face = TFLiteModel(content), drawn_face()[None, ..., None]
    taken_ms = time_of_face_ms(lambda: file.run(face))
    parity = {"n": len(crops), "off_px": round(off_px, 4), "error_gain": round(gain, 5),
              "ms_a_look": round(taken_ms, 2)}  # fmt: skip
    return parity, [
        Limit("points are off by", off_px, MAX_OFF_PX, form="{:.3f} px of the crop"),
        Limit("the error grows by", gain, MAX_ERROR_GAIN, form="{:.4f} of the crop"),
        size_limit(content, MAX_BYTES),
        time_limit(taken_ms, MAX_LOOK_MS),
        old_runtime_limit(content),
    ]


def summary(errors: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Errors on held-out faces as the device sees them, for the card."""
    return {
        "error_of_eye_distance": round(float(errors.mean()), 4),
        "median": round(float(np.median(errors)), 4),
        "above_a_tenth": round(float((errors > 0.1).mean()), 4),
        "faces": len(errors),
        "measured_on": "AFW faces of held-out files, annotated boxes with jitter, "
                       "annotation as published",
    }  # fmt: skip


def comparison_with(
    errors: npt.NDArray[np.float64], samples: Sequence[Sample]
) -> Callable[[bytes, ModelCard], Comparison | None]:
    """How the file in place is compared with a new one, whose errors are known."""

    def against(old: bytes, card: ModelCard) -> Comparison | None:
        if card.task != "landmarks":
            return None
        measure = "the mean error in eye distances on AFW faces of held-out files"
        old_errors = errors_on_device(old, samples)
        return Comparison(measure, errors, old_errors, "faces", "{:.4f}", lower_is_better=True)

    return against


def run_facts(run: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What the card says about the training, without this machine's paths."""
    recipe = {key: Path(value).name if key == "teacher" else value
              for key, value in settings["recipe"].items()}  # fmt: skip
    return {"name": run.name, "recipe": recipe, "git_revision": settings["git_revision"]}
