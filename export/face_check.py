"""``export face-check``: a run of the detectors' second stage becomes ``face-check.tflite``.

The threshold goes into the file: its logit is above 0 for what is kept. Weights of 8 bits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
from training.face_check.train import KIND, SAMPLES, load_network, predict
from training.files import read_numbers
from training.runs import read_settings

PRECISION: Precision = "dynamic"
MIN_AGREEMENT = 0.99  # between the model and its file
MIN_RIGHT = 0.9  # faces and others, each kind half
MAX_BYTES = 60_000
MAX_BOX_MS = 2.0

Crops = npt.NDArray[np.uint8]


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser(KIND, help="a run of the detectors' second stage likewise")
    parser.add_argument("run_path", type=Path, metavar="RUN", help="run directory of face-check")
    add_options(parser)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Converts, compares, and only then writes."""
    require_writable(arguments.models)
    run = arguments.run_path
    settings = read_settings(run, KIND)
    model = load_network(run)
    metrics = read_numbers(run / "metrics.json", "threshold")
    with np.load(run / SAMPLES) as arrays:
        faces, others = arrays["faces"], arrays["others"]
    content = convert(for_device(model, metrics["threshold"]), PRECISION)
    right = right_of(content, faces, others)
    parity, limits = compare_with(model, content, metrics["threshold"], faces, others)
    data = settings["data"]
    facts = {
        "run": {"name": run.name, "recipe": settings["recipe"],
                "git_revision": settings["git_revision"]},
        "parity": {"weights": PRECISION, **parity},
        "metrics": {**metrics, "right": round(float(right.mean()), 4)},
        "data": f"faces: {data['boxes']} boxes in AFW's pictures, {data['portraits']} pictures of "
                f"faces (FER2013, {data['more'] or 'no others'}); {data['others']} boxes without",
        "licence": "Apache-2.0 for the file; the pictures are under their owners' terms",
    }  # fmt: skip
    card = make_card("face-check", "check", content, command, facts)
    against = comparison_with(right, faces, others)
    deliver(Candidate(content, card, limits, f"{parity['n']} boxes", against),
            arguments.models, arguments.force)  # fmt: skip
    return 0


def for_device(model: keras.Model, threshold: float) -> keras.Model:
    """The model with uint8 pixels in, whose logit is above 0 for what is kept."""
    pixels = keras.Input((CROP_PX, CROP_PX, 1), dtype="uint8", name="pixels")
    return keras.Model(pixels, model(keras.ops.cast(pixels, "float32")) - threshold)


def compare_with(
    model: keras.Model, content: bytes, threshold: float, faces: Crops, others: Crops
) -> tuple[dict[str, float], list[Limit]]:
    """How the file and its model judge the same boxes, and the limits of it."""
    crops = np.concatenate([faces, others])
    expected, actual = predict(model, crops) > threshold, run_crops(content, crops)[:, 0] > 0
    agreement = float((expected == actual).mean())
    right = right_of(content, faces, others)
    halves = float((right[: len(faces)].mean() + right[len(faces) :].mean()) / 2)
    file, face = TFLiteModel(content), drawn_face()[None, ..., None]
    taken_ms = time_of_face_ms(lambda: file.run(face))
    parity = {"n": len(crops), "agreement": round(agreement, 4), "ms_a_box": round(taken_ms, 3)}
    return parity, [
        Limit("agreement with the model", agreement, MIN_AGREEMENT, True, "{:.2%}"),
        Limit("right, both kinds alike", halves, MIN_RIGHT, True, "{:.1%}"),
        size_limit(content, MAX_BYTES),
        time_limit(taken_ms, MAX_BOX_MS),
        old_runtime_limit(content),
    ]


def right_of(content: bytes, faces: Crops, others: Crops) -> npt.NDArray[np.bool_]:
    """(n,) which of the faces, then of the others a file judges rightly."""
    logits = run_crops(content, np.concatenate([faces, others]))[:, 0]
    return np.asarray((logits > 0) == (np.arange(len(logits)) < len(faces)))


def comparison_with(
    right: npt.NDArray[np.bool_], faces: Crops, others: Crops
) -> Callable[[bytes, ModelCard], Comparison | None]:
    """How the file in place is compared with a new one, whose judgements are known."""

    def against(old: bytes, card: ModelCard) -> Comparison | None:
        if card.task != "check":
            return None
        measure = "boxes of the choosing files judged rightly"
        old_right = right_of(old, faces, others)
        return Comparison(measure, right.astype(float), old_right.astype(float), "boxes")

    return against
