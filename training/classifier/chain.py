"""``training chain``: all trainings behind the networks that ship; ``training ship``: their export.

A network that ships learns from others, so these are trained and exported first. A finished run is
not trained again, an interrupted one goes on. Every step is a command that could be typed; it is
printed before it runs.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.recipe_files import (
    RECIPES,
    RecipeFile,
    differences,
    maker_of,
    read_recipe_files,
    shipping,
)
from training.classifier.train import DATA, VOTES, default_votes
from training.data.fer2013 import require_data
from training.runs import RUNS, is_finished, read_history, read_recipe

Call = Callable[[list[str]], int]  # words after `python -m`, to the exit status


@dataclass(frozen=True)
class Step:
    """One command of the chain, after ``python -m``, and what is announced of it."""

    words: list[str]
    text: str
    hours: float = 0.0


@dataclass
class Plan:
    """The steps that are still to do, teachers first.

    Args:
        files: the recipe files by name.
        runs: folder of the runs; the teachers' pairs lie in its folder ``teachers``.
        data: FER2013.
        votes: FER+'s.
    """

    files: dict[str, RecipeFile]
    runs: Path
    data: Path
    votes: Path
    steps: list[Step] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    underway: list[str] = field(default_factory=list)  # to see a circle

    def need_run(self, file: RecipeFile) -> None:
        """Adds what leads to a finished run.

        Raises:
            UsageError: the run there is of another recipe, or the recipes teach in a circle.
        """
        run = self.runs / file.name
        if file.name in self.finished or any(self.trains(step, run) for step in self.steps):
            return
        if file.name in self.underway:
            raise UsageError(f"{file.path}: is its own teacher, by way of {self.underway[-1]}")
        begun = (run / "settings.json").exists()
        if begun:
            require_recipe(run, file)
        if begun and is_finished(run):
            self.finished.append(file.name)
            return
        self.underway.append(file.name)
        if file.recipe.teacher:
            self.need_run(teacher_of(file, self.files))
        for pair in file.teacher_pairs:
            self.need_pair(pair, file.name)
        self.underway.pop()
        self.steps.append(self.resume(file, run) if begun else self.train(file, run))

    def need_pair(self, pair: str, needed_by: str) -> None:
        """Adds what leads to a teacher's pair; one that is there serves, unless its run is newer."""
        maker = maker_of(pair, self.files, needed_by)
        path = self.teachers / f"{pair}.tflite"
        run = self.runs / maker.name
        if path.exists() and path.with_suffix(".json").exists() and not is_newer(run, path):
            return
        self.need_run(maker)
        words = ["export", "classifier", str(run), "--head", maker.pairs[pair], "--name", pair,
                 "--models", str(self.teachers)]  # fmt: skip
        if not any(step.words == words for step in self.steps):
            self.steps.append(Step(words, f"export  {pair}, a teacher"))

    @property
    def teachers(self) -> Path:
        """Folder of the teachers' pairs."""
        return self.runs / "teachers"

    @staticmethod
    def trains(step: Step, run: Path) -> bool:
        """True for the step that trains a run."""
        return step.words[:2] == ["training", "classifier"] and step.words[-1] == str(run)

    def train(self, file: RecipeFile, run: Path) -> Step:
        """Trains by the recipe file, with the teachers where the chain has them."""
        words = ["training", "classifier", "--recipe", str(file.path), "--data", str(self.data),
                 "--votes", str(self.votes)]  # fmt: skip
        recipe = file.recipe
        words += ["--teacher", str(self.runs / recipe.teacher)] if recipe.teacher else []
        if recipe.start_from:
            words += ["--start-from", str(self.teachers / recipe.start_from)]
        for pair in recipe.view_teachers:
            words += ["--view-teacher", str(self.teachers / pair)]
        words += ["--run", str(run)]
        return Step(words, f"train   {file.name}, {file.hours:.1f} h", file.hours)

    @staticmethod
    def resume(file: RecipeFile, run: Path) -> Step:
        """Goes on with an interrupted run."""
        done, epochs = len(read_history(run)), file.recipe.epochs
        hours = file.hours * max(epochs - done, 0) / epochs
        text = f"train   {file.name}, {hours:.1f} h: goes on after epoch {done} of {epochs}"
        return Step(["training", "classifier", "--resume", str(run)], text, hours)


def teacher_of(file: RecipeFile, files: dict[str, RecipeFile]) -> RecipeFile:
    """The recipe file of the run that teaches another.

    Raises:
        UsageError: there is none.
    """
    try:
        return files[file.recipe.teacher]
    except KeyError as error:
        raise UsageError(f"{file.path}: no recipe file for its teacher {error}") from error


def require_recipe(run: Path, file: RecipeFile) -> None:
    """Refuses a run that was trained otherwise: what ships must not be replaced by it.

    Raises:
        UsageError: its settings are not those of the recipe file.
    """
    other = differences(read_recipe(run), file.recipe)
    if other:
        raise UsageError(
            f"{run}: is not a run of {file.path.name} ({other}); move it away, or name another "
            "folder with --runs"
        )


def is_newer(run: Path, pair: Path) -> bool:
    """True where a run has been trained since a pair was exported."""
    weights = run / "averaged.weights.h5"
    return weights.exists() and weights.stat().st_mtime > pair.stat().st_mtime


def call(words: list[str]) -> int:
    """Runs a command of ours in a process of its own; it ends with this one."""
    return subprocess.run([sys.executable, "-m", *words]).returncode


def add_arguments(commands: Any) -> None:
    """Adds both commands to ``python -m training``."""
    chain = commands.add_parser("chain", help="train the networks that ship, teachers first")
    chain.add_argument("--data", type=Path, default=DATA, help=f"default {DATA}")
    chain.add_argument("--votes", type=Path, help=f"default {VOTES} if it is there")
    chain.set_defaults(run=run_chain)
    ship = commands.add_parser("ship", help="export the networks that `chain` has trained")
    ship.add_argument("--models", type=Path, help="where to, default device/models")
    ship.add_argument("--force", action="store_true", help="also replace a better network")
    ship.set_defaults(run=run_ship)
    for parser in (chain, ship):
        parser.add_argument("network", nargs="?", metavar="NETWORK", help="default: all that ship")
        parser.add_argument("--runs", type=Path, default=RUNS, help=f"folder, default {RUNS}")
        parser.add_argument("--recipes", type=Path, default=RECIPES, help="folder of recipe files")


def run_chain(arguments: argparse.Namespace, command: str) -> int:
    """Announces what is still to do, and does it; a step that fails ends it with its status."""
    files = read_recipe_files(arguments.recipes)
    wanted = chosen(arguments.network, files)
    require_data(arguments.data)
    plan = Plan(files, arguments.runs, arguments.data, require_votes(arguments))
    for file in wanted:
        plan.need_run(file)
    print(announcement(plan, files), flush=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # else a step outlives us
    try:
        for step in plan.steps:
            print(f"\n+ python -m {shlex.join(step.words)}", flush=True)
            status = call(step.words)
            if status:
                return status
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def require_votes(arguments: argparse.Namespace) -> Path:
    """The FER+ votes: without them, weaker networks than those that ship come out.

    Raises:
        UsageError: they are not there.
    """
    votes = default_votes(arguments)
    if votes is None:
        raise UsageError(
            f"the networks that ship learn from the FER+ votes, too: name fer2013new.csv with "
            f"--votes, or put it to {VOTES}"
        )
    if not votes.exists():
        raise UsageError(f"{votes}: no FER+ votes there")
    return votes


def chosen(network: str | None, files: dict[str, RecipeFile]) -> list[RecipeFile]:
    """The files that make one network, or all that ships.

    Raises:
        UsageError: no file makes it.
    """
    if network is None:
        return [file for file in files.values() if file.ships]
    return [files[network] if network in files else maker_of(network, files)]


def announcement(plan: Plan, files: dict[str, RecipeFile]) -> str:
    """What will be done, what it costs, and how to do less."""
    lines = [f"finished: {', '.join(plan.finished)}"] if plan.finished else []
    if plan.steps:
        machines = sorted({file.machine for file in files.values()})
        hours = sum(step.hours for step in plan.steps)
        lines += ["to do:", *(f"  {step.text}" for step in plan.steps)]
        lines.append(f"together about {hours:.1f} h, as measured on {' and '.join(machines)}")
        lines.append("An interrupted training goes on where it was: give the same command again.")
    else:
        lines.append("nothing to train; export with `make export`")
    lines.append(f"One network alone: make train NETWORK=NAME, of {shipping(files)}")
    return "\n".join(lines)


def run_ship(arguments: argparse.Namespace, command: str) -> int:
    """Exports the pairs of finished runs; each goes through ``export``'s gate."""
    files = read_recipe_files(arguments.recipes)
    words = []
    for file in chosen(arguments.network, files):
        if not file.ships:
            raise UsageError(f"{file.name} does not ship; those that ship are {shipping(files)}")
        run = arguments.runs / file.name
        if not ((run / "settings.json").exists() and is_finished(run)):
            raise UsageError(f"{run}: no finished training; first: make train NETWORK={file.name}")
        require_recipe(run, file)
        for pair, head in file.pairs.items():
            if arguments.network in (None, file.name, pair):
                words.append(["export", "classifier", str(run), "--head", head, "--name", pair])
    options = ["--models", str(arguments.models)] if arguments.models else []
    options += ["--force"] if arguments.force else []
    statuses = []
    for step in words:
        print(f"+ python -m {shlex.join([*step, *options])}", flush=True)
        statuses.append(call([*step, *options]))
    return max(statuses, default=0)
