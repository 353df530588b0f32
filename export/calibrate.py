"""``export calibrate``: a pair's temperature and balanced prior fitted and measured anew.

For a pair whose run is not at hand, after the way of fitting has changed. The model stays as it
is; its card keeps all that it says of the training.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from export.calibration import calibrate
from export.classifier import truth_for
from export.evaluate import as_lines, evaluate_card
from export.pair import finish_pair, require_writable, write_pair
from export.parity import run_crops
from training.classifier.read_recipe import read_recipe_file
from training.classifier.recipe import prior_of
from training.classifier.train import DATA, VOTES
from training.classifier.trained import load_pair
from training.data.cleaning import clean_as
from training.data.fer2013 import Split, read_pictures
from training.data.splits import require_split
from training.runs import shorten


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("calibrate", help="fit a pair's temperature and prior anew")
    parser.add_argument("pair", type=Path, metavar="PAIR.tflite")
    parser.add_argument("--data", type=Path, default=DATA, help=f"default {DATA}")
    parser.add_argument("--votes", type=Path, default=VOTES, help=f"default {VOTES}")
    parser.add_argument(
        "--test", action="store_true", help="measure PrivateTest for the card; once, at the end"
    )
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Fits on validation, measures, and only then writes."""
    require_writable(arguments.pair.parent)
    finish_pair(arguments.pair)
    model, card = load_pair(arguments.pair, "pair")
    recipe = read_recipe_file(arguments.pair.with_suffix(".json"))
    pictures, _ = clean_as(read_pictures(arguments.data, arguments.votes), recipe)
    head = str(card.facts["head"])
    validation = require_split(pictures, Split.VALIDATION, arguments.data)
    require_split(pictures, Split.TRAIN, arguments.data)
    truth = truth_for(head, validation)
    logits = run_crops(model.content, validation.pixels)[truth.chosen]
    found = calibrate(logits, truth.labels, prior_of(pictures.split(Split.TRAIN), head))
    card = replace(card, temperature=found.temperature, prior_shift=found.prior_shift)
    splits = (Split.VALIDATION, Split.TEST) if arguments.test else (Split.VALIDATION,)
    measured = {
        split.name.lower(): evaluate_card(model.content, card, pictures, split) for split in splits
    }
    facts = {
        **card.facts,
        "prior_shift_strength": found.strength,
        "calibrated_by": f"python -m export {shorten(command)}",
        "metrics": measured,
    }
    write_pair(arguments.pair.parent, model.content, replace(card, facts=facts))
    for result in measured.values():
        print("\n".join(as_lines(result)))
    print(f"{arguments.pair}: temperature {found.temperature}, prior at {found.strength}")
    return 0
