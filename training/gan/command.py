"""``training stargan``, ``cgan`` and ``wgan``: from FER2013 to a run with a generator."""

from __future__ import annotations

import argparse
import dataclasses
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UsageError
from training.classifier.ranges import check_ranges
from training.classifier.train import DATA, VOTES, default_votes
from training.data.cleaning import clean
from training.data.fer2013 import Pictures, Split, read_pictures
from training.data.splits import require_split
from training.gan.recipe import LOSSES, PLAIN, GanRecipe, read_gan_recipe, write_recipe
from training.runs import RUNS, new_run, refuse_given, trained_on

GAN_RUNS = RUNS / "gan"
HELP = {
    "stargan": "train the generator that makes a face show another expression",
    PLAIN: "train StarGAN as the paper says it, for comparison",
    "cgan": "train StarGAN's first baseline, a conditional GAN alone",
    "wgan": "train StarGAN's second baseline, a conditional Wasserstein GAN",
}
INTERRUPTED = 130


def add_arguments(commands: Any) -> None:
    """Adds the three commands to ``python -m training``."""
    for kind, losses in LOSSES.items():
        parser = commands.add_parser(kind, help=HELP[kind])
        parser.add_argument("--data", type=Path, help=f"CSV file or folder, default {DATA}")
        parser.add_argument("--votes", type=Path, help=f"FER+, default {VOTES} if it is there")
        parser.add_argument("--run", type=Path, dest="run_path", help="run directory to make")
        parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
        parser.add_argument(
            "--start-from", metavar="RUN",
            help="begin a new run with what this one, or a pair NAME.tflite, has learnt",
        )  # fmt: skip
        for name in (
            "steps",
            "round_steps",
            "batch_size",
            "guide_steps",
            "seed",
            "width",
            "blocks",
        ):
            parser.add_argument("--" + name.replace("_", "-"), type=int, metavar="N")
        for name in ("learning_rate", "critic_rate"):
            parser.add_argument("--" + name.replace("_", "-"), type=float, metavar="X")
        parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"))
        for field in dataclasses.fields(losses):
            flag = "--" + field.name.replace("_", "-")
            parser.add_argument(flag, type=type(field.default), metavar="X")
        parser.set_defaults(run=run_command, kind=kind)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains, or goes on training; checkpoints are written all along."""
    if arguments.resume:
        run, recipe = arguments.resume, read_gan_recipe(arguments.resume)
        refuse_changes(arguments, recipe)
        data_path, votes_path = trained_on(run)
    else:
        recipe = recipe_of(arguments)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{recipe.kind}"
        run = arguments.run_path or GAN_RUNS / name
        data_path, votes_path = arguments.data or DATA, default_votes(arguments)
    pictures, dropped = clean(read_pictures(data_path, votes_path))
    training = require_split(pictures, Split.TRAIN, data_path)
    validation = require_split(pictures, Split.VALIDATION, data_path)
    from training.gan.faces import require_clear, without_hidden

    require_clear(without_hidden(training), validation)
    print(f"{data_path}: {len(dropped)} training pictures left out as unfit", flush=True)
    if not arguments.resume:
        new_run(run, recipe.kind)
        write_recipe(
            run, recipe, {"path": str(data_path), "votes": votes_path and str(votes_path)}, command
        )
    if not pictures.has_votes:
        print("no FER+ votes: FER2013's labels say what is learned; a third are wrong", flush=True)
    print(f"run directory {run}", flush=True)
    if recipe.start_from and not arguments.resume:
        print(beginning_of(recipe), flush=True)
    finished = train(recipe, pictures, run)
    if not finished:
        print(f"interrupted; go on with --resume {run}", flush=True)
    return 0 if finished else INTERRUPTED


def refuse_changes(arguments: argparse.Namespace, recipe: GanRecipe) -> None:
    """A resumed run goes on as it began.

    Raises:
        UsageError: another kind of run, or an option that belongs to a run's beginning.
    """
    if recipe.kind != arguments.kind:
        raise UsageError(f"{arguments.resume}: is a run of {recipe.kind}")
    fields = [*dataclasses.fields(GanRecipe), *dataclasses.fields(type(recipe.losses))]
    names = {f.name for f in fields} - {"kind"} | {"run_path", "data", "votes"}
    refuse_given(arguments, sorted(names))


def recipe_of(arguments: argparse.Namespace) -> GanRecipe:
    """The kind's recipe with what the command line changes."""
    losses_type = LOSSES[arguments.kind]
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    own = {f.name for f in dataclasses.fields(losses_type)}
    losses = losses_type(**{name: value for name, value in given.items() if name in own})
    names = {f.name for f in dataclasses.fields(GanRecipe)} - {"losses"}
    recipe = GanRecipe(**{n: v for n, v in given.items() if n in names}, losses=losses)
    check_ranges(recipe)
    check_ranges(losses)
    from training.gan.generator import build_generator, settings_of
    from training.gan.warm_start import steps_before

    try:
        build_generator(settings_of(recipe))
    except ValueError as error:
        raise UsageError(f"--width {recipe.width} --blocks {recipe.blocks}: {error}") from error
    if recipe.start_from:
        recipe = replace(recipe, steps_before=steps_before(Path(recipe.start_from), recipe))
    return recipe


def beginning_of(recipe: GanRecipe) -> str:
    """What a training that begins with another's networks has of them."""
    from training.gan.warm_start import is_pair

    start = Path(recipe.start_from)
    if not is_pair(start):
        return f"begins with the networks of {start}"
    guide = " The guide is trained anew." if recipe.needs_guide else ""
    return (
        f"begins with the generator of {start}. A pair has no discriminator: "
        f"that begins at random.{guide}"
    )


def train(recipe: GanRecipe, pictures: Pictures, run: Path) -> bool:
    """Trains on the clear faces of the training split; True when all steps are done."""
    from training.gan import fitting  # TensorFlow takes seconds to load
    from training.gan.faces import (
        clear_faces_of,
        cut_by_landmarks,
        voted_faces_of,
        without_hidden,
    )
    from training.gan.sheets import one_of_each

    training, validation = (
        replace(part, pixels=cut_by_landmarks(part.pixels))
        for part in (without_hidden(pictures.split(Split.TRAIN)), pictures.split(Split.VALIDATION))
    )
    learned, shown = clear_faces_of(training), clear_faces_of(validation)
    counts = np.bincount(learned.expressions).tolist()
    print(f"{len(learned.pixels)} clear faces, in FER2013 order {counts}", flush=True)
    try:
        model = fitting.build(recipe, voted_faces_of(training), run)
    except KeyboardInterrupt:
        return False
    samples = shown.pixels[one_of_each(shown.expressions)]
    return fitting.fit(model, learned, samples, recipe, run)
