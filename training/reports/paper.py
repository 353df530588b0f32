"""``training paper``: docs/paper.md, the paper that Mien follows beside what is here.

Tables 2 and 3 come from the numbers behind docs/results.md; the counts and shares of the paper are
in ``published.py``. ``--data`` measures the paper's own test set, both held-out splits together.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

from training.classifier.metrics import scores
from training.data.fer2013 import Split, read_pictures
from training.files import (
    MODELS,
    read_numbers,
    require_folder,
    require_output,
    write_json,
    write_text,
)
from training.reports.ablation import ablation_part
from training.reports.baselines import ours
from training.reports.hog_picture import draw_hog
from training.reports.paper_runs import KEPT, curves_part, hog_part, keep
from training.reports.published import (
    PRIVATE_COUNTS,
    TABLE_2,
    TABLE_3,
    TEST_COUNTS,
    fits,
    implied_right,
)
from training.reports.tables import percent, table
from training.runs import git_revision, shorten

OUTPUT = Path("docs/paper.md")
FOLDER = Path("docs/paper")
RESULTS = Path("docs/results.json")
ABLATION = "ablation.json"
BOTH = "both-splits.json"
PORTRAIT = Path("device/camera/astronaut.jpg")
MISSING = "not run"
# The paper's two networks and those that ship, as the report names them;
# the command makes one that the report lacks.
ROWS = {
    "paper-cnn-fer2013 (fer2013 head)": "five-block CNN",
    "mini-xception (fer2013 head, float)": "mini-Xception (float)",
    "expression-fer2013 (fer2013 head)": "`expression-fer2013`",
    "expression (crowd head)": "`expression`",
}


class Run(NamedTuple):
    """How what does not ship is made: the commands, and what ``--pair`` takes."""

    commands: str
    path: str


RUNS = {
    "paper-cnn-fer2013 (fer2013 head)": Run(
        "`python -m training classifier --network paper --epochs 25 --seed 1 --run runs/paper`, "
        "`python -m export classifier runs/paper --head fer2013 --name paper-cnn-fer2013`",
        "paper-cnn-fer2013.tflite",
    ),
    "mini-xception (fer2013 head, float)": Run(
        "`python -m training classifier --network mini-xception --epochs 25 --seed 1 "
        "--run runs/mini-xception`",
        "runs/mini-xception",
    ),
}


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("paper", help="write docs/paper.md from the report's numbers")
    parser.add_argument("--results", type=Path, default=RESULTS, help="of `training report`")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="template, picture, numbers")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--data", type=Path, help="fer2013.csv: measure both held-out splits anew")
    parser.add_argument("--pair", type=Path, action="append", default=[],
                        help="a .tflite or a run that --data measures beside what ships; may be repeated")  # fmt: skip
    parser.add_argument("--run", type=Path, action="append", default=[], dest="runs",
                        help="a run of the paper's networks or of hog-svm, for Figure 9 and Eqs. 4 to 6")  # fmt: skip
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Measures if asked, draws Figure 3 and fills the template."""
    require_output(arguments.output)
    require_folder(arguments.folder)
    both_path = arguments.folder / BOTH
    if arguments.data:
        pairs = [*sorted(MODELS.glob("expression*.tflite")), *arguments.pair]
        measured = measure_both_splits(arguments.data, pairs)
        write_json(both_path, {
            "command": f"python -m training {shorten(command)}",
            "date": time.strftime("%Y-%m-%d"),
            "git_revision": git_revision(),
            "results": measured,
        })  # fmt: skip
    report = read_numbers(arguments.results, "results")
    results = {row["name"]: row for row in report["results"]}
    kept = read_numbers(both_path, "results") if both_path.exists() else None
    both = kept["results"] if kept else {}
    runs = keep(arguments.runs, arguments.folder)
    if arguments.runs:
        write_json(arguments.folder / KEPT, runs)
    draw_hog(PORTRAIT, arguments.folder / "hog.png")
    ablation_path = arguments.folder / ABLATION
    ablation = read_numbers(ablation_path) if ablation_path.exists() else None
    text = (arguments.folder / "template.md").read_text(encoding="utf-8")
    parts = {
        "made": made_by(report, kept),
        "table_2": table_2(results, both),
        "counts": ", ".join(f"{name} {count}" for name, count in TEST_COUNTS.items()),
        "fits": fits_part(),
        "implied": f"{implied_share()} ({implied_right():,} of {sum(PRIVATE_COUNTS.values()):,})",
        "table_3": table_3(results),
        "ablation": ablation_part(ablation, arguments.folder / "ablation.png"),
        "missing": missing_runs(results, both),
        "curves": curves_part(runs["curves"], arguments.folder),
        "hog": hog_part(runs["hog"]),
    }
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part.rstrip())
    write_text(arguments.output, text)
    print(f"wrote {arguments.output}")
    return 0


def made_by(report: dict[str, Any], both: dict[str, Any] | None) -> str:
    """When, at which revision and by which command each part of Tables 2 and 3 was measured."""
    measured = {"`PrivateTest`": report, "both splits": both}
    return "\n".join(
        f"- {name}: {facts['date']}, revision {facts['git_revision']}, `{facts['command']}`"
        for name, facts in measured.items()
        if facts and "command" in facts
    )


def measure_both_splits(data: Path, pairs: list[Path]) -> dict[str, Any]:
    """Scores on ``PublicTest`` and ``PrivateTest`` together, by FER2013's labels."""
    pictures = read_pictures(data)
    held_out = pictures.subset(pictures.splits != Split.TRAIN)
    validation = pictures.split(Split.VALIDATION)
    return {
        candidate.name: scores(candidate.logits(held_out.pixels), held_out.labels)
        for candidate in (ours(path, validation) for path in pairs)
    }


def table_2(results: dict[str, Any], both: dict[str, Any]) -> str:
    """Precision, recall and F1 of each class: the paper's beside ours."""
    columns = [(label, results[name]["protocols"]["fer2013"], "PrivateTest")
               for name, label in ROWS.items() if name in results]  # fmt: skip
    columns += [(label, both[name], "both splits") for name, label in ROWS.items() if name in both]
    head = ["class", "paper", *(f"{label}, {split}" for label, _, split in columns)]
    rows = [
        [name, " / ".join(f"{value:.2f}" for value in published),
         *(triple([100 * measured["classes"][name][key] for key in ("precision", "recall", "f1")])
           for _, measured, _ in columns)]
        for name, published in TABLE_2.items()
    ]  # fmt: skip
    rows.append(["accuracy", f"{implied_share()} (implied)",
                 *(f"{100 * measured['accuracy']:.1f}" for _, measured, _ in columns)])  # fmt: skip
    return table(head, rows)


def implied_share() -> str:
    """The accuracy that Table 2 has without saying so."""
    return f"{100 * implied_right() / sum(PRIVATE_COUNTS.values()):.2f} %"


def fits_part() -> str:
    """The whole numbers behind each row of Table 2."""
    rows = []
    for name in TABLE_2:
        [fit] = fits(name, PRIVATE_COUNTS[name])
        rows.append([name, f"{fit.right} of {PRIVATE_COUNTS[name]}", f"{fit.right} of {fit.named}"])
    return table(["class", "recall", "precision"], rows)


def triple(values: Any) -> str:
    """Precision / recall / F1 in percent."""
    return " / ".join(f"{value:.1f}" for value in values)


def table_3(results: dict[str, Any]) -> str:
    """The paper's list, then what was run here, each with its protocol."""
    rows = [[author, network, f"{value:.2f} %", "as the paper lists it; protocol not stated"]
            for author, network, value in TABLE_3]  # fmt: skip
    rows.append(["the paper", "its Table 2", implied_share(),
                 "FER2013's labels, PrivateTest, n = 3589: [its recalls](#table-2)"])  # fmt: skip
    for name, result in results.items():
        measured = result["protocols"]["fer2013"]
        who = "peer, run here" if name.startswith("fer:") else "here"
        protocol = f"FER2013's labels, PrivateTest, n = {measured['n']}, one forward pass"
        rows.append([who, name, percent(measured), protocol])
    return table(["who", "network", "accuracy", "protocol"], rows)


def missing_runs(results: dict[str, Any], both: dict[str, Any]) -> str:
    """Which columns wait for a run, each with the commands that make it."""
    lines = []
    every_pair = "".join(f" --pair {made.path}" for made in RUNS.values())
    for name, label in ROWS.items():
        made = RUNS.get(name)
        if made and name not in results:
            lines.append(
                f"- {label}, FER2013's labels, PrivateTest: {MISSING}. {made.commands}, then the "
                f"command of [results.md](results.md) with `--pair {made.path}`."
            )
        if name not in both:
            lines.append(f"- {label}, both splits: {MISSING}. `python -m training paper --data "
                         f"fer2013.csv{every_pair}`.")  # fmt: skip
    return "\n\n" + "\n".join(["What is missing:", "", *lines]) if lines else ""
