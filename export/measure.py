"""``export evaluate``: the accuracy of a shipped pair on FER2013, by every protocol."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from device.vision.model_card import read_model
from export.evaluate import as_lines, evaluate_card
from export.pair import finish_pair
from training.data.cleaning import lend_validation
from training.data.fer2013 import Split, read_pictures

SPLITS = {"validation": Split.VALIDATION, "test": Split.TEST}


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("evaluate", help="measure a .tflite with its card on FER2013")
    parser.add_argument("model", type=Path, help="NAME.tflite with NAME.json beside it")
    parser.add_argument("--data", type=Path, default=Path("data/fer2013.csv"))
    parser.add_argument("--votes", type=Path, help="FER+ votes; without them one protocol")
    parser.add_argument("--split", choices=tuple(SPLITS), default="test")
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Prints one line a protocol and prior, or the whole result as JSON."""
    finish_pair(arguments.model)
    content, card = read_model(arguments.model)
    recipe = card.facts.get("run", {}).get("recipe", {})
    pictures = read_pictures(arguments.data, arguments.votes)
    pictures = lend_validation(pictures, recipe.get("learn_validation", 0))  # not what it learnt
    result = evaluate_card(content, card, pictures, SPLITS[arguments.split])
    print(json.dumps(result, indent=1) if arguments.json else "\n".join(as_lines(result)))
    return 0
