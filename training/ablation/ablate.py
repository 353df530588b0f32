"""``training ablate``: the paper's claims about preparation, each taken out alone and measured.

All variants train the same network from the same seeds, and differ in one thing (``variants.py``).
The first seed goes through all variants before the second begins, so that half of the time gives a
whole table. A finished run is not trained again, an interrupted one goes on. What is measured is the
FER2013 head: accuracy and macro F1 on the validation split, and with ``--test``, when all trainings
have ended, on the test split.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.ablation.variants import (
    OTHER_DATA,
    Variants,
    folder_name,
    on_other_data,
    variants_of,
)
from training.classifier.chain import call
from training.classifier.recipe import recipe_for
from training.classifier.train import DATA, NETWORK_NAMES, PRECISIONS, default_votes
from training.data.fer2013 import require_data
from training.files import read_numbers, require_folder, require_output, write_json
from training.runs import RUNS, has_run, is_finished, read_settings, shorten

OUTPUT = Path("docs/paper/ablation.json")
NETWORK, EPOCHS, SEEDS = "paper", 25, 2
PROTOCOLS = ("fer2013", "majority")
KEYS = ("accuracy", "macro_f1", "balanced_accuracy")
RARE = ("disgust", "fear")  # what synthesized faces shall help


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("ablate", help="what cleaning, variation and balance are worth")
    parser.add_argument("--data", type=Path, default=DATA, help=f"default {DATA}")
    parser.add_argument("--votes", type=Path, help="FER+ votes; without them nothing is relabelled")
    parser.add_argument("--network", choices=NETWORK_NAMES, default=NETWORK)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each variant")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--runs", type=Path, default=RUNS / "ablation", help="folder of the runs")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="a variant or a group of them; may be repeated")  # fmt: skip
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER",
                        help="a variant that learns other pictures, as gan-augment writes them; "
                        "may be repeated")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name groups and variants, and end")
    parser.add_argument("--test", action="store_true", help="at the very end: the test split, too")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains what is missing, measures, writes the numbers; a step that fails ends it."""
    for name in ("epochs", "seeds"):
        if getattr(arguments, name) < 1:
            raise UsageError(f"--{name} {getattr(arguments, name)}: must be at least 1")
    votes = default_votes(arguments)
    variants = chosen_variants(arguments, votes is not None)
    if arguments.list:
        print("\n".join(f"{group}: {n}" if group else n for n, (group, _) in variants.items()))
        return 0
    require_output(arguments.output)
    require_folder(arguments.runs)
    require_data(arguments.data, votes)
    runs = planned(arguments, variants, votes)
    steps = {run: words for run, options in runs.items() if (words := words_for(run, options))}
    print(f"{len(runs)} trainings, {len(runs) - len(steps)} of them finished", flush=True)
    for number, words in enumerate(steps.values(), start=1):
        print(f"\ntraining {number} of {len(steps)}", end="")
        if step(words):
            return 1
        write_json(arguments.output, collect(arguments, votes, command))
    if arguments.test and any(measure_test_split(run) for run in runs):
        return 1
    write_json(arguments.output, collect(arguments, votes, command))
    print(f"wrote {arguments.output}; next: python -m training paper")
    return 0


def planned(
    arguments: argparse.Namespace, variants: Variants, votes: Path | None
) -> dict[Path, list[str]]:
    """The options of each run, in the order of their training."""
    return {
        arguments.runs / folder_name(name, seed): [*common(arguments, votes, seed), *options]
        for seed in range(1, arguments.seeds + 1)
        for name, (_, options) in variants.items()
    }


def chosen_variants(arguments: argparse.Namespace, has_votes: bool) -> Variants:
    """All variants of the network's recipe, or those that are named, alone or by their group.

    Raises:
        UsageError: there is none of that name.
    """
    variants = all_variants(arguments, has_votes)
    groups = {group: None for group, _ in variants.values() if group}
    only = arguments.only or list(variants)
    for name in only:
        if name not in [*variants, *groups]:
            raise UsageError(f"--only {name!r}: known are {', '.join([*variants, *groups])}")
    return {name: v for name, v in variants.items() if name in only or v[0] in only}


def all_variants(arguments: argparse.Namespace, has_votes: bool) -> Variants:
    """Those of the network's recipe, and those of other pictures."""
    return variants_of(recipe_for(arguments.network), has_votes) | on_other_data(arguments.also)


def common(arguments: argparse.Namespace, votes: Path | None, seed: int) -> list[str]:
    """The options that all variants share."""
    words = ["--network", arguments.network, "--data", str(arguments.data),
             "--epochs", str(arguments.epochs), "--precision", arguments.precision,
             "--seed", str(seed)]  # fmt: skip
    return [*words, "--votes", str(votes)] if votes else words


def words_for(run: Path, options: list[str]) -> list[str]:
    """The command that begins or goes on with a run; empty when it is finished.

    Raises:
        UsageError: the run there has been begun with other options.
    """
    if not has_run(run):
        return ["training", "classifier", *options, "--run", str(run)]
    if not begun_with(run, options):
        raise UsageError(f"{run}: was begun with other options; name another folder with --runs")
    return [] if is_finished(run) else ["training", "classifier", "--resume", str(run)]


def begun_with(run: Path, options: list[str]) -> bool:
    """True for a run of exactly these options; its folder may have been moved since."""
    return shlex.split(read_settings(run)["command"])[1:-2] == options


def measure_test_split(run: Path) -> int:
    """Measures a run on the test split, unless that has been done; returns the exit status."""
    if (run / "metrics-test.json").exists():
        return 0
    return step(["training", "evaluate", str(run), "--split", "test"])


def step(words: list[str]) -> int:
    """Prints a command, runs it and returns its exit status."""
    print(f"\n+ python -m {shlex.join(words)}", flush=True)
    return call(words)


def collect(arguments: argparse.Namespace, votes: Path | None, command: str) -> dict[str, Any]:
    """All that has been measured so far, mean and spread over the seeds.

    Variants that an earlier command trained alike, but this one's ``--only`` leaves out, stay.
    """
    rows, parameters = [], 0
    chosen = chosen_variants(arguments, bool(votes))
    for name, (group, options) in all_variants(arguments, bool(votes)).items():
        own = planned(arguments, {name: (group, options)}, votes)
        runs = [r for r, words in own.items() if has_run(r) and begun_with(r, words)]
        if group == OTHER_DATA:
            options = ["--also", f"{name}={Path(options[1]).parent.name}"]
        row: dict[str, Any] = {"name": name, "group": group, "options": options}
        for split in ("validation", "test"):
            measured = [m for run in runs if (m := read_metrics(run, split))]
            if measured:
                row[split] = summarize([one["fer2013"] for one in measured])
                row["pictures"] = read_settings(runs[0])["data"]["train"]
                parameters = measured[0]["parameters"]
        if name in chosen or "validation" in row:
            rows.append(row)
    return {"command": shorten(command), "network": arguments.network, "parameters": parameters,
            "epochs": arguments.epochs, "seeds": arguments.seeds, "variants": rows}  # fmt: skip


def read_metrics(run: Path, split: str) -> dict[str, Any] | None:
    """What ``training evaluate`` wrote; None before."""
    path = run / f"metrics-{split}.json"
    return dict(read_numbers(path, "parameters", "fer2013")) if path.exists() else None


def summarize(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """By protocol and figure: each seed's value, their mean, and largest less smallest."""
    result: dict[str, Any] = {}
    for protocol in PROTOCOLS:
        if protocol not in measured[0]:
            continue
        result[protocol] = {"n": measured[0][protocol]["n"]}
        for key in KEYS:
            result[protocol][key] = spread_of([one[protocol][key] for one in measured])
        for rare in RARE:
            shares = [one[protocol]["classes"][rare]["f1"] for one in measured]
            result[protocol][f"{rare}_f1"] = spread_of(shares)
    return result


def spread_of(values: list[float]) -> dict[str, Any]:
    """Each value, their mean, and largest less smallest."""
    return {
        "seeds": values,
        "mean": round(sum(values) / len(values), 4),
        "spread": round(max(values) - min(values), 4),
    }
