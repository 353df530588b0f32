"""``export classifier``: a run becomes ``NAME.tflite`` and ``NAME.json``, or nothing at all."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from export.card import make_card, write_pair
from export.convert import to_float, to_int8
from export.evaluate import as_lines, evaluate_card
from export.parity import Logits, compare, require
from training.classifier.metrics import fit_prior_shift, fit_temperature, truth_of
from training.classifier.networks import HEADS, count_macs
from training.classifier.recipe import prior_of
from training.classifier.trained import load_network, predict
from training.data.cleaning import clean_as
from training.data.fer2013 import Pictures, Split, read_pictures
from training.reports.tflite import TfliteClassifier
from training.runs import newest_run, read_history, read_recipe, read_settings, shorten

MODELS = Path("device/models")
DATA, VOTES = "FER2013 (Goodfellow et al., 2013)", "FER+ votes (Barsoum et al., 2016)"
# Crops, few or many: many bring rare extremes, which make int8's steps wider; few clip them.
NUM_CALIBRATION = (64, 256)
NUM_DRAWS = 6  # in turns: the one counts whose file is nearest to the network ...
NUM_COMPARED = 2000  # ... on so many training pictures


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("classifier", help="convert a run for the board")
    parser.add_argument("run_path", nargs="?", type=Path, metavar="RUN", help="default: newest")
    parser.add_argument("--head", choices=HEADS, help="default: crowd if it was trained on votes")
    parser.add_argument("--name", help="of the pair, default: the network's name")
    parser.add_argument("--models", type=Path, default=MODELS, help=f"default {MODELS}")
    parser.add_argument("--data", type=Path, help="FER2013, default: what the run was trained on")
    parser.add_argument("--votes", type=Path)
    parser.add_argument(
        "--test", action="store_true", help="measure PrivateTest for the card; once, at the end"
    )
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Converts, compares, and only then writes."""
    run = arguments.run_path or newest_run()
    recipe, settings = read_recipe(run), read_settings(run)
    pictures = read_run_pictures(settings, arguments.data, arguments.votes)
    pictures, _ = clean_as(pictures, recipe)  # the training split: no copies of the others' there
    head = arguments.head or ("crowd" if pictures.has_votes else "fer2013")
    name = arguments.name or recipe.network
    model = load_network(run)
    print(f"{run}: converting head {head}", flush=True)
    content, parity, calibration = convert(model, head, pictures)
    facts = {
        "head": head,
        "parameters": count_parameters(model, head),
        "mmacs": round(count_macs(model) / 1e6, 1),
        "exported_by": f"python -m export {shorten(command)}",
        "run": run_facts(run, settings),
        "prior_shift_strength": calibration.strength,
        "parity": {"split": "PublicTest", **parity},
        "data": DATA + (f", {VOTES}" if pictures.has_votes else ""),
    }
    card = make_card(name, content, calibration.temperature, calibration.prior_shift, facts)
    splits = (Split.VALIDATION, Split.TEST) if arguments.test else (Split.VALIDATION,)
    metrics = {
        split.name.lower(): evaluate_card(content, card, pictures, split) for split in splits
    }
    card = replace(card, facts={**card.facts, "metrics": metrics})
    path = write_pair(arguments.models, content, card)
    for result in metrics.values():
        print("\n".join(as_lines(result)))
    print(f"{path}: {len(content)} bytes, temperature {card.temperature}")
    return 0


@dataclass(frozen=True)
class Calibration:
    """What validation says about the logits of one file.

    Attributes:
        temperature: they are divided by it.
        strength: of the balanced prior.
        prior_shift: (7,) added for it after the temperature.
    """

    temperature: float
    strength: float
    prior_shift: list[float]


def convert(
    model: keras.Model, head: str, pictures: Pictures
) -> tuple[bytes, dict[str, Any], Calibration]:
    """The int8 file, how it and the float file compare with Keras, and its calibration.

    Raises:
        ParityError: a file does not answer as the network does.
    """
    train, validation = pictures.split(Split.TRAIN), pictures.split(Split.VALIDATION)
    content = nearest_int8(model, head, train.pixels)
    truth = truth_of(validation, "majority" if head == "crowd" else "fer2013")
    expected = predict(model, validation.pixels)[head][truth.chosen]
    facts = {}
    for kind, file in (("float", to_float(model, head)), ("int8", content)):
        actual = TfliteClassifier(file).logits(validation.pixels)[truth.chosen]
        parity = compare(expected, actual, truth.labels)
        print(f"{kind}: {parity}", flush=True)
        require(parity)
        facts[kind] = parity.as_facts()
    return content, facts, calibrate(actual, truth.labels, prior_of(train, head))


def nearest_int8(model: keras.Model, head: str, pixels: npt.NDArray[np.uint8]) -> bytes:
    """The int8 file of the best of several draws of calibration crops from (n, 48, 48)."""
    random = np.random.default_rng(0)
    compared = pixels[random.permutation(len(pixels))[:NUM_COMPARED]]
    expected = predict(model, compared)[head]
    best, least = b"", np.inf
    for draw in range(NUM_DRAWS if len(pixels) > NUM_CALIBRATION[0] else 1):
        number = NUM_CALIBRATION[draw % len(NUM_CALIBRATION)]
        crops = pixels[random.permutation(len(pixels))[:number]]
        content = to_int8(model, head, crops)
        difference = np.asarray(TfliteClassifier(content).logits(compared) - expected, np.float64)
        off = float((difference**2).mean())
        if not best or off < least:
            best, least = content, off
    return best


def calibrate(
    logits: Logits, labels: npt.NDArray[np.int64], prior: npt.NDArray[np.float64]
) -> Calibration:
    """Fits temperature and balanced prior to validation."""
    temperature = fit_temperature(logits, labels)
    scaled = np.asarray(logits / temperature, np.float32)
    strength, shift = fit_prior_shift(scaled, labels, prior)
    return Calibration(temperature, strength, shift)


def count_parameters(model: keras.Model, head: str) -> int:
    """Weights of the network that is exported: one head of the two."""
    return int(keras.Model(model.inputs, model.output[head]).count_params())


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


def read_run_pictures(settings: dict[str, Any], data: Path | None, votes: Path | None) -> Pictures:
    """The pictures that a run was trained on, or those named instead; not cleaned."""
    noted = settings["data"]
    if data is None and votes is None and noted["votes"]:
        votes = Path(noted["votes"])
    return read_pictures(data or Path(noted["path"]), votes)
