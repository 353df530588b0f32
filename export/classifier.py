"""``export classifier``: a run becomes ``NAME.tflite`` and ``NAME.json``, or nothing at all."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.model_card import ModelCard
from device.vision.tflite import TFLiteModel
from export.calibration import Calibration, calibrate
from export.card import golden_crops, make_card
from export.convert import convert
from export.door import Candidate, add_options, deliver
from export.evaluate import as_lines, evaluate_card
from export.gate import Limit, old_runtime_limit, size_limit, time_limit, time_of_face_ms
from export.in_place import Comparison
from export.pair import require_writable
from export.parity import compare, run_crops
from training.classifier.metrics import Truth, truth_of
from training.classifier.networks import HEADS, count_macs
from training.classifier.read_recipe import read_recipe
from training.classifier.recipe import prior_of
from training.classifier.trained import load_network, one_head, predict
from training.data.cleaning import clean_as, lend_validation
from training.data.fer2013 import Pictures, Split, read_pictures
from training.data.splits import require_split
from training.runs import newest_run, read_history, read_settings, trained_on

DATA, VOTES = "FER2013 (Goodfellow et al., 2013)", "FER+ votes (Barsoum et al., 2016)"
MAX_BYTES = 1_600_000
MAX_FACE_MS = 10.0
# Crops, few or many: many bring rare extremes, which make int8's steps wider; few clip them.
NUM_CALIBRATION = (64, 256)
NUM_DRAWS = 6  # in turns: the one counts whose file is nearest to the model ...
NUM_COMPARED = 2000  # ... on so many training pictures
LIMITS = [
    "Names what a face shows, never what a person feels.",
    "Trained on grey web pictures of 48×48 px, mostly frontal; disgust and fear are rare in them.",
    "Faces turned further than about 30° to the side, covered, or smaller than 24 px are not what "
    "it has seen.",
    "Not measured per age, sex or skin: FER2013 does not say them. Not for decisions about people.",
]

Pixels = npt.NDArray[np.uint8]  # (n, 48, 48)


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("classifier", help="a classifier's run to what the device may run")
    parser.add_argument("run_path", nargs="?", type=Path, metavar="RUN", help="default: newest")
    parser.add_argument("--head", choices=HEADS, help="default: crowd if it was trained on votes")
    parser.add_argument("--name", help="of the pair, default: the model's name")
    parser.add_argument("--data", type=Path, help="FER2013, default: what the run was trained on")
    parser.add_argument("--votes", type=Path)
    parser.add_argument(
        "--test", action="store_true", help="measure PrivateTest for the card; once, at the end"
    )
    add_options(parser)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Converts, compares, and only then writes."""
    require_writable(arguments.models)
    run = arguments.run_path or newest_run()
    recipe, settings = read_recipe(run), read_settings(run)
    everything = read_run_pictures(run, arguments.data, arguments.votes)
    pictures, _ = clean_as(everything, recipe)  # the training split: no copies of the others' there
    for split in (Split.TRAIN, Split.VALIDATION):
        require_split(pictures, split, arguments.data or run)
    head = arguments.head or ("crowd" if pictures.has_votes else "fer2013")
    if head == "crowd" and not pictures.has_votes:
        raise UsageError("--head crowd is measured by FER+'s votes: name --votes")
    name = arguments.name or recipe.network
    model = load_network(run)
    print(f"{run}: converting head {head}", flush=True)
    file = to_device(model, head, pictures)
    facts = {
        "head": head,
        "parameters": int(one_head(model, head).count_params()),
        "mmacs": round(count_macs(model) / 1e6, 1),
        "run": run_facts(run, settings),
        "prior_shift_strength": file.calibration.strength,
        "parity": {"split": "PublicTest", **file.parity},
        "data": DATA + (f", {VOTES}" if pictures.has_votes else ""),
        "limits": LIMITS,
    }
    card = make_card(name, "classify", file.content, command, facts, golden_of(file.content),
                     file.calibration.temperature, file.calibration.prior_shift)  # fmt: skip
    splits = (Split.VALIDATION, Split.TEST) if arguments.test else (Split.VALIDATION,)
    metrics = {
        split.name.lower(): evaluate_card(file.content, card, pictures, split) for split in splits
    }
    card = replace(card, facts={**card.facts, "metrics": metrics})
    against = comparison_with(file.content, head, everything, recipe.learn_validation)
    measured_on = f"{file.parity['int8']['n']} validation pictures"
    deliver(Candidate(file.content, card, file.limits, measured_on, against),
            arguments.models, arguments.force)  # fmt: skip
    for result in metrics.values():
        print("\n".join(as_lines(result)))
    return 0


@dataclass(frozen=True)
class Converted:
    """An int8 file with what was measured of it.

    Attributes:
        content: of the file.
        parity: by precision, for the card.
        limits: for the gate, those of the float file too.
        calibration: what validation says about its logits.
    """

    content: bytes
    parity: dict[str, Any]
    limits: list[Limit]
    calibration: Calibration


def to_device(model: keras.Model, head: str, pictures: Pictures) -> Converted:
    """The int8 file of a head, compared with Keras like the float file, and calibrated."""
    train, validation = pictures.split(Split.TRAIN), pictures.split(Split.VALIDATION)
    content = nearest_int8(model, head, train.pixels)
    truth = truth_for(head, validation)
    expected = predict(model, validation.pixels)[head][truth.chosen]
    facts, limits = {}, []
    for kind, file in (("float", convert(one_head(model, head), "float")), ("int8", content)):
        actual = run_crops(file, validation.pixels)[truth.chosen]
        parity = compare(expected, actual, truth.labels)
        print(f"{kind}: {parity}", flush=True)
        facts[kind] = parity.as_facts()
        limits += parity.limits()
    limits += [
        size_limit(content, MAX_BYTES),
        time_limit(face_ms(content), MAX_FACE_MS),
        old_runtime_limit(content),
    ]
    return Converted(content, facts, limits, calibrate(actual, truth.labels, prior_of(train, head)))


def truth_for(head: str, pictures: Pictures) -> Truth:
    """The pictures and labels that a head is measured by."""
    return truth_of(pictures, "majority" if head == "crowd" else "fer2013")


def nearest_int8(model: keras.Model, head: str, pixels: Pixels) -> bytes:
    """The int8 file of the best of several draws of calibration crops from (n, 48, 48)."""
    random = np.random.default_rng(0)
    compared = pixels[random.permutation(len(pixels))[:NUM_COMPARED]]
    expected = predict(model, compared)[head]
    best, least = b"", np.inf
    for draw in range(NUM_DRAWS if len(pixels) > NUM_CALIBRATION[0] else 1):
        number = NUM_CALIBRATION[draw % len(NUM_CALIBRATION)]
        crops = pixels[random.permutation(len(pixels))[:number]]
        content = convert(one_head(model, head), "int8", crops)
        difference = np.asarray(run_crops(content, compared) - expected, np.float64)
        off = float((difference**2).mean())
        if not best or off < least:
            best, least = content, off
    return best


def comparison_with(
    content: bytes, head: str, pictures: Pictures, learnt: float
) -> Callable[[bytes, ModelCard], Comparison | None]:
    """How the file in place is compared with a new one.

    Args:
        content: of the new file.
        head: of the new file.
        pictures: uncleaned, with the official splits.
        learnt: share of validation that the new model has learnt.

    Returns:
        A function that compares on those pictures of validation that neither has learnt; None for
        another head, or where none are left.
    """

    def against(old: bytes, card: ModelCard) -> Comparison | None:
        if card.facts.get("head") != head:
            return None
        recipe = card.facts.get("run", {}).get("recipe", {})
        share = max(learnt, float(recipe.get("learn_validation", 0)))
        validation = lend_validation(pictures, share).split(Split.VALIDATION)
        truth = truth_for(head, validation)
        if not len(truth.labels):
            return None
        right = [
            np.asarray(run_crops(file, validation.pixels)[truth.chosen].argmax(axis=1) == truth.labels,
                       np.float64)
            for file in (content, old)
        ]  # fmt: skip
        by = "the FER+ majority" if head == "crowd" else "FER2013's labels"
        return Comparison(f"accuracy by {by} on validation", right[0], right[1])

    return against


def golden_of(content: bytes) -> list[dict[str, Any]]:
    """What the file answers to drawn crops, for the device's self-test."""
    crops = golden_crops()
    return [
        {
            "input": base64.b64encode(crop.tobytes()).decode("ascii"),
            "output": [round(float(value), 4) for value in logits],
        }
        for crop, logits in zip(crops, run_crops(content, crops), strict=True)
    ]


def face_ms(content: bytes) -> float:
    """Time of one face on one core."""
    model, face = TFLiteModel(content), golden_crops()[-1:, ..., None]
    return time_of_face_ms(lambda: model.run(face))


def run_facts(run: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What the card says about the training, without this machine's paths."""
    history = read_history(run)
    recipe = settings["recipe"]
    named = {key: Path(recipe.get(key, "")).name for key in ("teacher", "start_from")}
    viewers = [Path(path).name for path in recipe.get("view_teachers", ())]
    return {
        "name": run.name,
        "epochs_done": len(history),
        "hours": round(sum(row["seconds"] for row in history) / 3600, 2),
        "recipe": {**recipe, **named, "view_teachers": viewers},
        **{key: settings[key] for key in ("git_revision", "versions")},
        "data": {k: v for k, v in settings["data"].items() if k not in ("path", "votes")},
    }


def read_run_pictures(run: Path, data: Path | None, votes: Path | None) -> Pictures:
    """The pictures that a run was trained on, or those named instead; not cleaned."""
    if data is None:
        data, noted = trained_on(run)
        votes = votes or noted
    return read_pictures(data, votes)
