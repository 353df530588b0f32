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
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.classifier.plan import Plan, require_recipe
from training.classifier.recipe_files import (
    RECIPES,
    RecipeFile,
    maker_of,
    read_recipe_files,
    shipping,
)
from training.classifier.train import DATA, VOTES, default_votes
from training.data.fer2013 import require_data
from training.runs import RUNS, has_run, is_finished


def call(words: list[str]) -> int:
    """Runs a command of ours in a process of its own; it ends with this one.

    A signal that ends this process is passed on, and the command has time to save what it has.

    Returns:
        Its exit status.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM, when the command has ended.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # else it outlives us
    try:
        command = subprocess.Popen([sys.executable, "-m", *words])
        try:
            return command.wait()
        except KeyboardInterrupt:
            command.terminate()
            command.wait()
            raise
    finally:
        signal.signal(signal.SIGTERM, before)


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
    for step in plan.steps:
        print(f"\n+ python -m {shlex.join(step.words)}", flush=True)
        status = call(step.words)
        if status:
            return status
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
        if not (has_run(run) and is_finished(run)):
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
