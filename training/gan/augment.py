"""``training gan-augment``: FER2013 with its rare expressions filled up by a generator, or replaced.

A synthesized face is accepted when a judge names the asked expression with confidence. The
judge must have had no part in the generator's training, nor may it be the network that is
trained on the outcome (it would be taught its own opinions).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.synthesizer import cut_face, paste_back
from device.vocabulary import EXPRESSIONS
from training.classifier.metrics import softmax
from training.classifier.train import DATA, VOTES
from training.data.cleaning import clean
from training.data.extended import extend, require_new, write_csv_pair
from training.data.fer2013 import Pictures, Split, read_pictures
from training.gan.evaluate import JUDGE_HELP, make_judge
from training.gan.translator import Translator, translator_of

SHEET_COLUMNS = 20


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("gan-augment", help="fill up rare expressions by a generator")
    parser.add_argument(
        "generator", type=Path, metavar="GENERATOR",
        help="a generator's run, or a pair such as device/models/generator.tflite",
    )  # fmt: skip
    parser.add_argument("--judge", required=True, type=Path, metavar="JUDGE", help=JUDGE_HELP)
    parser.add_argument(
        "--head", default="crowd", choices=("fer2013", "crowd"), help="whose labels count and judge"
    )
    parser.add_argument("--per-class", type=int, default=1500, help="training pictures to reach")
    parser.add_argument("--alone", action="store_true", help="leave the real training pictures out")
    parser.add_argument("--min-probability", type=float, default=0.6, help="asked of the judge")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, default=VOTES)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Writes the extended pair of CSV files and a sheet of what was accepted."""
    if not 0 < arguments.min_probability < 1:
        raise UsageError(f"--min-probability {arguments.min_probability}: between 0 and 1")
    require_new(arguments.output)
    translate = translator_of(arguments.generator)
    pictures, _ = clean(read_pictures(arguments.data, arguments.votes))  # no copies of the test's
    judge = make_judge(arguments, pictures)
    training = pictures.split(Split.TRAIN)
    if arguments.head == "crowd" and training.has_votes:
        crowd = training.crowd()
        named = np.where(crowd.any(axis=1), crowd.argmax(axis=1), -1)
        training = replace(training, labels=named)
    chance = np.random.default_rng(arguments.seed)
    crops, labels = [], []
    for number, expression in enumerate(EXPRESSIONS):
        there = 0 if arguments.alone else int((training.labels == number).sum())
        missing = arguments.per_class - there
        if missing <= 0:
            continue
        made = accepted(translate, judge, training, number, missing, arguments, chance)
        print(f"{expression.value}: {len(made)} of {missing} added", flush=True)
        crops.append(made)
        labels.append(np.full(len(made), number))
    if not sum(map(len, crops)):
        raise UsageError("nothing to add: no face was accepted, or every class is large enough")
    pixels, shown = np.concatenate(crops), np.concatenate(labels)
    kept = pictures.subset(pictures.splits != Split.TRAIN) if arguments.alone else pictures
    data, votes = write_csv_pair(extend(kept, pixels, shown, "synthetic"), arguments.output)
    write_sheet(arguments.output / "accepted.png", pixels[chance.permutation(len(pixels))[:200]])
    print(f"train with: python -m training classifier --data {data} --votes {votes}")
    return 0


def accepted(
    translate: Translator,
    judge: Any,
    training: Pictures,
    expression: int,
    count: int,
    arguments: argparse.Namespace,
    chance: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Up to ``count`` faces (n, 48, 48) of other expressions that now convincingly show this one."""
    others = np.flatnonzero((training.labels != expression) & (training.crowd().sum(axis=1) > 0))
    if not others.size:
        raise UsageError("generators need faces with votes to start from: name --votes")
    kept: list[npt.NDArray[np.uint8]] = []
    order = chance.permutation(others)  # each once: a generator makes the same of the same
    size = min(max(2 * count, 64), 2048)
    for at in range(0, len(order), size):
        chosen = order[at : at + size]
        made = synthesize(translate, training.pixels[chosen], expression)
        sure = (
            softmax(judge.logits(made), judge.temperature)[:, expression]
            >= arguments.min_probability
        )
        kept.append(made[sure])
        if sum(map(len, kept)) >= count:
            break
    return np.concatenate(kept)[:count]


def synthesize(
    translate: Translator, pixels: npt.NDArray[np.uint8], expression: int
) -> npt.NDArray[np.uint8]:
    """Pictures (n, 48, 48) whose faces show an expression, framed as they were.

    Left in the generator's own framing, a synthesized face could be told by that.
    """
    from training.gan.faces import views_of

    views = views_of(pixels)
    crops = np.stack([cut_face(p, view) for p, view in zip(pixels, views, strict=True)])
    parts = zip(pixels, views, crops, *translate(crops, expression), strict=True)
    return np.stack([paste_back(*part) for part in parts])


def write_sheet(path: Path, crops: npt.NDArray[np.uint8]) -> None:
    """Writes (n, 48, 48) crops in rows, for people to look at."""
    rows = -(-len(crops) // SHEET_COLUMNS)
    padded = np.zeros((rows * SHEET_COLUMNS, *crops.shape[1:]), np.uint8)
    padded[: len(crops)] = crops
    height, width = crops.shape[1:]
    by_row = padded.reshape(rows, SHEET_COLUMNS, height, width).transpose(0, 2, 1, 3)
    sheet = by_row.reshape(rows * height, SHEET_COLUMNS * width)
    from training.gan.sheets import write_picture

    write_picture(path, sheet)
