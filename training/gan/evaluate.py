"""``training evaluate-gan``: StarGAN and its baselines in one table, before the same judge."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS
from training.classifier.metrics import truth_of
from training.classifier.read_recipe import learnt_validation
from training.classifier.train import DATA, VOTES
from training.data.cleaning import clean, lend_validation
from training.data.fer2013 import Pictures, Split, read_pictures
from training.files import require_folder, write_json
from training.gan.recipe import GanRecipe, name_of, read_gan_recipe
from training.gan.tables import require_report, rewrite, tables

HEAD = "crowd"  # of the judge: FER+ votes
JUDGE_HELP = "classifier: a pair NAME.tflite, or a run"
MIN_FACES = 14  # two of each expression, if they are evenly many
SPLITS = {"validation": Split.VALIDATION, "test": Split.TEST}


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("evaluate-gan", help="compare generators before a judge")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="generators' runs")
    parser.add_argument("--judge", required=True, type=Path, metavar="JUDGE", help=JUDGE_HELP)
    parser.add_argument("--head", default=HEAD, choices=("fer2013", "crowd"))
    parser.add_argument("--split", default="validation", choices=SPLITS)
    add_faces(parser)
    parser.add_argument(
        "--rest", action="store_true", help="those faces that --faces with this seed leaves out"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, default=VOTES)
    parser.add_argument("--report", type=Path, help="Markdown file whose marked part is rewritten")
    parser.set_defaults(run=run_command)


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Adds ``--faces``, how many a generator is judged on."""
    parser.add_argument("--faces", type=int, default=1000, dest="most_faces", metavar="N",
                        help="faces of the split, 0: all")  # fmt: skip


def require_faces(count: int) -> None:
    """Refuses so few faces that nothing can be judged.

    Raises:
        UsageError: too few.
    """
    if count and count < MIN_FACES:
        raise UsageError(f"--faces {count}: 0 for all, or at least {MIN_FACES}")


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Judges each run, writes its JSON and sheet, prints and reports the table."""
    require_faces(arguments.most_faces)
    if arguments.report:
        require_report(arguments.report)
    recipes = {run: read_gan_recipe(run) for run in arguments.runs}
    require_folder(*arguments.runs)
    everything = read_pictures(arguments.data, arguments.votes)
    unlearnt = lend_validation(everything, learnt_validation(arguments.judge))
    pictures = unlearnt.split(SPLITS[arguments.split])
    pictures = sample(
        pictures, arguments.head, arguments.most_faces, arguments.seed, arguments.rest
    )
    from training.gan import judging  # TensorFlow takes seconds to load
    from training.gan.faces import cut_by_landmarks

    pictures = replace(pictures, pixels=cut_by_landmarks(pictures.pixels))
    judge = make_judge(arguments, clean(everything)[0])
    results = [
        judge_run(run, recipe, pictures, judge, arguments) for run, recipe in recipes.items()
    ]
    real = judging.accuracy_on_real(pictures, judge)
    counts = np.bincount(pictures.labels, minlength=len(EXPRESSIONS)).tolist()
    table = tables(results, real | {"counts": counts}, judge.name, command)
    print(table)
    if arguments.report:
        rewrite(arguments.report, table)
    return 0


def judge_run(
    run: Path, recipe: GanRecipe, pictures: Pictures, judge: Any, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Judges one generator; writes its JSON and its sheet."""
    from training.gan import judging, sheets
    from training.gan.generator import settings_of
    from training.gan.translation import load_generator, steps_done

    print(f"judging {run}", flush=True)
    generator = load_generator(run, settings_of(recipe))
    result = judging.judge_generator(generator, pictures, judge, arguments.seed)
    result |= {
        "kind": name_of(recipe),
        "steps": recipe.steps_before + steps_done(run),
        "split": arguments.split,
        "rest": arguments.rest,
        "seed": arguments.seed,
        "parameters": generator.count_params(),
    }
    part = f"{arguments.split}-rest" if arguments.rest else arguments.split
    write_json(run / f"evaluation-{part}-{arguments.head}.json", result)
    shown = pictures.pixels[sheets.one_of_each(pictures.labels.astype(np.int32), 14)]
    sheet = sheets.sample_sheet(generator, shown[..., None])
    sheets.write_picture(run / f"evaluation-{arguments.split}.png", sheet)
    return result


def make_judge(arguments: argparse.Namespace, pictures: Pictures) -> Any:
    """The judge, who knows the real faces of cleaned pictures as the device cuts them."""
    from training.gan import judging
    from training.gan.faces import cut_by_landmarks

    pictures = lend_validation(pictures, learnt_validation(arguments.judge))
    real = sample(pictures.split(Split.VALIDATION), arguments.head, 0, arguments.seed)
    real = replace(real, pixels=cut_by_landmarks(real.pixels))
    train = pictures.split(Split.TRAIN)
    return judging.load_judge(arguments.judge, arguments.head, train, real)


def sample(pictures: Pictures, head: str, count: int, seed: int, rest: bool = False) -> Pictures:
    """At most ``count`` faces of a split, labelled as the judge's head has learned to.

    For the FER+ head those of which more than half of the voters say the same, with that as their
    label; for the FER2013 head all that anybody took for a face with an expression. With ``rest``, all
    faces but those: that nobody has looked at yet.
    """
    if not pictures.has_votes:
        raise UsageError("nobody voted on these pictures: name --votes")
    faces = np.flatnonzero(pictures.crowd().sum(axis=1) > 0)
    if head == "crowd":
        truth = truth_of(pictures, "majority")
        faces, labels = np.flatnonzero(truth.chosen), pictures.labels.copy()
        labels[faces] = truth.labels
        pictures = replace(pictures, labels=labels)
    chosen = faces
    if 0 < count < len(faces):
        chosen = np.sort(np.random.default_rng(seed).choice(faces, count, replace=False))
    if rest:
        chosen = np.setdiff1d(faces, chosen)
        if not len(chosen):
            raise UsageError("--rest: --faces takes all faces of the split, none are left")
    if not len(chosen):
        raise UsageError("people agree on no face of this split: nothing to judge by")
    return pictures.subset(chosen)
