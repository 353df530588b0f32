"""``training compare-gans``: all generators by one budget, trained and judged by one command.

Each kind of ``recipe.LOSSES`` gets the same steps, batches, seed, size and faces, once with the guide
and once without. The first run trains the guide; the others take the same one. A run that has all its
steps is not trained again, an interrupted one goes on; then ``evaluate-gan`` judges them all.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.chain import call
from training.classifier.train import DATA, default_votes
from training.data.fer2013 import require_data
from training.files import require_folder
from training.gan.command import GAN_RUNS
from training.gan.evaluate import HEAD, JUDGE_HELP, SPLITS, add_faces, require_faces
from training.gan.recipe import LOSSES, GanRecipe, StarGanLosses, read_gan_recipe
from training.gan.tables import require_report
from training.runs import has_run

DEFAULT = GanRecipe()


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("compare-gans", help="train and judge all generators alike")
    parser.add_argument("--judge", required=True, type=Path, metavar="JUDGE", help=JUDGE_HELP)
    parser.add_argument("--data", type=Path, default=DATA, help=f"default {DATA}")
    parser.add_argument("--votes", type=Path, help="FER+ votes: the judges' faces need them")
    parser.add_argument("--steps", type=int, default=DEFAULT.steps, help="of each generator")
    parser.add_argument("--guide-steps", type=int, default=DEFAULT.guide_steps)
    parser.add_argument("--seed", type=int, default=DEFAULT.seed)
    parser.add_argument("--precision", default="float32", choices=("float32", "mixed_bfloat16"))
    parser.add_argument("--split", default="validation", choices=SPLITS)
    add_faces(parser)
    parser.add_argument("--runs", type=Path, default=GAN_RUNS / "compared", help="of the eight")
    parser.add_argument("--report", type=Path, help="Markdown file whose marked part is rewritten")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains what is missing and judges; a step that fails ends it with its status."""
    require_faces(arguments.most_faces)
    if arguments.report:
        require_report(arguments.report)
    votes = default_votes(arguments)
    require_data(arguments.data, votes)
    require_folder(arguments.runs)
    if votes is None:
        raise UsageError("generators are judged on faces on which people agree: name --votes")
    from training.gan.judging import ask_judge  # TensorFlow takes seconds to load

    ask_judge(arguments.judge, HEAD)  # found out now, not after a night of training
    source = ["--data", str(arguments.data), "--votes", str(votes)]
    trainings = {
        arguments.runs / f"{kind}-{name}": (kind, weight)
        for kind in LOSSES
        for name, weight in (("guided", StarGanLosses.lambda_guide), ("unguided", 0.0))
    }
    steps = {run: training_words(*of, run, source, arguments) for run, of in trainings.items()}
    for run, words in steps.items():
        kind, weight = trainings[run]
        if GanRecipe(kind=kind, losses=LOSSES[kind](lambda_guide=weight)).needs_guide:
            share_guide(run, list(trainings))
        if words and (status := step(words)):
            return status
    judged = ["evaluate-gan", *map(str, trainings), *source,
              "--judge", str(arguments.judge), "--split", arguments.split,
              "--faces", str(arguments.most_faces)]  # fmt: skip
    judged += ["--report", str(arguments.report)] if arguments.report else []
    return step(judged)


def step(words: list[str]) -> int:
    """Prints a command, runs it and returns its exit status."""
    print(f"\n+ python -m training {shlex.join(words)}", flush=True)
    return call(["training", *words])


def share_guide(run: Path, runs: list[Path]) -> None:
    """Gives a run the guide that another one has trained; each would come out the same."""
    from training.gan.fitting import GUIDE, copy_guide

    if (run / GUIDE).exists():
        return
    trained = next((other for other in runs if (other / GUIDE).exists()), None)
    if trained:
        run.mkdir(parents=True, exist_ok=True)
        copy_guide(trained, run / GUIDE)


def training_words(
    kind: str, guide_weight: float, run: Path, source: list[str], arguments: argparse.Namespace
) -> list[str]:
    """The command that begins or goes on with a generator; empty when all its steps are done.

    Raises:
        UsageError: the run there has another budget.
    """
    budget = {
        name: getattr(arguments, name) for name in ("steps", "guide_steps", "seed", "precision")
    }
    if not has_run(run):
        options = [w for n, v in budget.items() for w in ("--" + n.replace("_", "-"), str(v))]
        options += ["--lambda-guide", str(guide_weight)]
        return [kind, *source, *options, "--run", str(run)]
    recipe = read_gan_recipe(run)
    same = recipe.losses.lambda_guide == guide_weight
    if not same or any(getattr(recipe, name) != value for name, value in budget.items()):
        raise UsageError(f"{run}: has another budget; name another folder with --runs")
    from training.gan.translation import steps_done

    done = steps_done(run) if (run / "state.npz").exists() else 0
    return [] if done >= recipe.steps else [kind, "--resume", str(run)]
