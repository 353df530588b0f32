"""``training classifier``: from FER2013 to a run directory with a trained network."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.distributed import STRATEGIES, is_chief
from training.classifier.evaluate import evaluate_run
from training.classifier.fitting import fit
from training.classifier.ranges import check_ranges
from training.classifier.read_recipe import read_recipe, read_recipe_file
from training.classifier.recipe import BALANCES, Recipe, recipe_for
from training.classifier.trained import load_pair, load_view_teachers
from training.data.augmentation import KINDS, without
from training.data.cleaning import Dropped, clean_as, summary, write_list
from training.data.fer2013 import Pictures, Split, read_pictures
from training.runs import RUNS, mark_finished, new_run, refuse_given, trained_on, write_settings

DATA = Path("data/fer2013.csv")
VOTES = Path("data/fer2013new.csv")
INFORMED_SHARE = 0.5  # of FER2013's labels, where a teacher helps to foresee them
PRECISIONS = ("float32", "mixed_bfloat16")
SETTINGS = ("network", "epochs", "batch_size", "learning_rate", "weight_decay", "seed",
            "precision", "start_from", "teacher", "view_teachers", "view_share", "crowd_weight",
            "posed_pairs", "difference_weight", "keep_statistics", "p_mixup", "learn_validation", "balance")  # fmt: skip
CHOICES = ("without", "no_normalization", "relabel", "detect", "keep_faceless", "keep_all")
NETWORK_NAMES = ("expression", "expression-light", "expression-tiny", "mini-xception", "paper")


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("classifier", help="train a network on FER2013")
    parser.add_argument("--network", choices=NETWORK_NAMES)
    parser.add_argument("--data", type=Path, help=f"CSV file or folder, default {DATA}")
    parser.add_argument("--votes", type=Path, help=f"FER+ votes, default {VOTES} if it is there")
    parser.add_argument("--run", type=Path, dest="run_path", help="run directory to make")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE",
        help="a run's settings.json, a model card or a recipe: all settings as there",
    )  # fmt: skip
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument(
        "--start-from",
        metavar="PAIR.tflite",
        help="begin with this pair's weights, not random ones",
    )
    parser.add_argument("--teacher", metavar="RUN", help="learn from this run's answers as well")
    parser.add_argument(
        "--view-teacher", action="append", metavar="PAIR.tflite", dest="view_teachers",
        help="online distillation: learn this pair's answers to each varied picture; several for a head: their mean",
    )  # fmt: skip
    parser.add_argument("--view-share", type=float, help="of its answers in the targets, 0 to 1")
    parser.add_argument(
        "--posed-pairs", type=int, metavar="N",
        help="posed faces of `add-posed` in each batch, each beside the same face at rest",
    )  # fmt: skip
    parser.add_argument(
        "--difference-weight", type=float, help="of how the two differ in the loss, default 1.5"
    )
    parser.add_argument(
        "--keep-statistics", action="store_const", const=True,
        help="batch normalization stays as --start-from has it: changes less of what is known",
    )  # fmt: skip
    parser.add_argument("--crowd-weight", type=float, help="of the FER+ head's loss, default 1")
    parser.add_argument("--p-mixup", type=float, help="share of pictures laid over another")
    parser.add_argument(
        "--learn-validation", type=float, metavar="SHARE",
        help="of the validation split, learnt as well; only once all else is chosen",
    )  # fmt: skip
    parser.add_argument(
        "--balance", choices=BALANCES, help="rare classes count, or come, more often"
    )
    parser.add_argument("--without", action="append", choices=KINDS, metavar="KIND",
                        help=f"a kind of variation that is left out: {', '.join(KINDS)}")  # fmt: skip
    parser.add_argument("--no-normalization", action="store_true",
                        help="pixels go into the network from 0 to 255")  # fmt: skip
    parser.add_argument("--relabel", action="store_true", help="use the labels of clear FER+ votes")
    parser.add_argument(
        "--detect", action="store_true", help="also drop pictures in which Haar sees no face"
    )
    parser.add_argument("--keep-faceless", action="store_true",
                        help="drop only what repeats or stands in another split")  # fmt: skip
    parser.add_argument("--keep-all", action="store_true", help="no cleaning")
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default="none", help="several GPUs, or several machines"
    )
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains, or goes on training, and evaluates at the end."""
    if arguments.resume:
        run, recipe = arguments.resume, read_recipe(arguments.resume)
        refuse_given(arguments, (*SETTINGS, "recipe", "run_path", *CHOICES))
        data_path, votes_path = trained_on(run)
        data_path, votes_path = arguments.data or data_path, arguments.votes or votes_path
    else:
        recipe = recipe_of(arguments)
        run = arguments.run_path or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{recipe.network}"
        data_path = arguments.data or DATA
        votes_path = default_votes(arguments)
    pictures, dropped = prepare(data_path, votes_path, recipe)
    chief = is_chief(arguments.strategy)
    if not arguments.resume and chief:
        start_run(run, recipe, pictures, dropped, [str(data_path), votes_path], command)
    print(f"run directory {run}", flush=True)
    fit(run, pictures, recipe, bool(arguments.resume), say, arguments.strategy)
    if chief:
        print("\n".join(evaluate_run(run, pictures, Split.VALIDATION)))
        mark_finished(run)
    return 0


def say(line: str) -> None:
    """Prints at once, also into a file."""
    print(line, flush=True)


def default_votes(arguments: argparse.Namespace) -> Path | None:
    """The votes that were named, or those in their usual place beside the usual data."""
    if arguments.votes:
        return Path(arguments.votes)
    return VOTES if VOTES.exists() and arguments.data in (None, DATA) else None


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe with what the command line changes."""
    given = {name: getattr(arguments, name) for name in SETTINGS}
    recipe = recipe_for(arguments.network or "expression")
    if arguments.recipe:
        recipe = read_recipe_file(arguments.recipe)
    elif arguments.teacher:
        recipe = replace(recipe, informed_share=INFORMED_SHARE)
    given |= {"clean": False} if arguments.keep_all else {}
    given |= {"normalizes": False} if arguments.no_normalization else {}
    given |= {n: True for n in ("detect", "relabel", "keep_faceless") if getattr(arguments, n)}
    given["augmentation"] = without(recipe.augmentation, arguments.without or ())
    recipe = replace(recipe, **{k: v for k, v in given.items() if v is not None})
    check_ranges(recipe)
    for name, value, known in (("network", recipe.network, NETWORK_NAMES),
                               ("balance", recipe.balance, BALANCES),
                               ("precision", recipe.precision, PRECISIONS)):  # fmt: skip
        if value not in known:
            raise UsageError(f"{name} {value!r}: known are {', '.join(known)}")
    if recipe.teacher:
        read_recipe(Path(recipe.teacher))  # not there: said before anything is made
    load_view_teachers(recipe.view_teachers)
    if recipe.keep_statistics and not recipe.start_from:
        raise UsageError("--keep-statistics keeps those of --start-from: name a pair there")
    if recipe.start_from:
        load_pair(Path(recipe.start_from), "start")
    return replace(recipe, view_teachers=tuple(recipe.view_teachers))


def prepare(data: Path, votes: Path | None, recipe: Recipe) -> tuple[Pictures, list[Dropped]]:
    """Reads and cleans; says what came of it."""
    pictures, dropped = clean_as(read_pictures(data, votes), recipe)
    counts = [int((pictures.splits == split).sum()) for split in Split]
    print(f"{data}: train {counts[0]}, validation {counts[1]}, test {counts[2]}", flush=True)
    for reason, number in summary(dropped).items():
        print(f"  {number} {reason}", flush=True)
    if not all(counts[:2]):
        raise UsageError(f"{data}: no pictures left to train on or to validate with")
    return pictures, dropped


def start_run(
    run: Path, recipe: Recipe, pictures: Pictures, dropped: list[Dropped],
    paths: list[Any], command: str,
) -> None:  # fmt: skip
    """Makes the directory and writes all that is known before training."""
    new_run(run, recipe.network)
    data = {"path": paths[0], "votes": str(paths[1]) if paths[1] else None}
    counts = {split.name.lower(): int((pictures.splits == split).sum()) for split in Split}
    write_settings(run, asdict(recipe), {**data, **counts, "dropped": summary(dropped)}, command)
    write_list(dropped, run / "dropped.csv")
