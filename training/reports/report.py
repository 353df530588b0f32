"""``training report`` and ``training evaluate-peers``: all candidates in one run, on one machine.

The report is generated, tables and plots; nothing in it is typed by hand but the sentences here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from device.errors import UsageError
from device.vision.model_card import ModelCard
from training.classifier.train import DATA, default_votes
from training.data.fer2013 import Pictures, Split, read_pictures
from training.data.splits import require_split
from training.files import MODELS, reason, require_folder, require_output, write_json
from training.reports.baselines import Candidate, baseline, measure, of_pair, ours, published
from training.reports.out_of_domain import OutOfDomainFaces, read_faces
from training.reports.runtimes import compare_runtimes, require_runtime
from training.reports.text import write_report
from training.runs import RUNS, git_revision, shorten

REPORT = Path("docs/results.md")


def add_arguments(commands: Any) -> None:
    """Adds both commands to ``python -m training``."""
    words = {
        "report": "measure everything and write docs/results.md",
        "evaluate-peers": "the same measurements, printed, nothing written",
    }
    for name, text in words.items():
        parser = commands.add_parser(name, help=text)
        parser.add_argument("--data", type=Path, default=DATA)
        parser.add_argument("--votes", type=Path)
        parser.add_argument("--models", type=Path, default=MODELS, help="folder of our pairs")
        parser.add_argument("--pair", type=Path, action="append", default=[],
                            help="of ours that does not ship: a .tflite, or a run, whose "
                            "FER2013 head counts as a float model; may be repeated")  # fmt: skip
        parser.add_argument("--peer", type=Path, action="append", default=[],
                            help="published .tflite or .hdf5; may be repeated")  # fmt: skip
        parser.add_argument("--faces", type=Path, action="append", default=[],
                            help="folder with labels.csv (file, label); may be repeated")  # fmt: skip
        parser.add_argument("--tflite-runtime", type=Path, metavar="PYTHON",
                            help="a Python with tflite-runtime, to compare runtimes")  # fmt: skip
        parser.add_argument("--hog", type=Path, default=RUNS / "hog-svm" / "hog-svm.npz")
        parser.set_defaults(run=run_command)
        if name == "report":
            parser.add_argument("--output", type=Path, default=REPORT)
            parser.add_argument(
                "--keep", action="store_true",
                help="of the report that is there, keep what is not measured now; it is marked",
            )  # fmt: skip


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Measures on PrivateTest and on the folders; prints as it goes."""
    check_first(arguments)
    pictures = read_pictures(arguments.data, default_votes(arguments))
    test = require_split(pictures, Split.TEST, arguments.data)
    if arguments.pair:
        require_split(pictures, Split.VALIDATION, arguments.data)
    others = [read_faces(folder) for folder in arguments.faces]
    results = []
    for candidate in line_up(arguments, pictures.split(Split.VALIDATION)):
        started_s = time.monotonic()
        results.append(measure(candidate, test, others))
        if candidate.card is not None:
            results[-1] |= facts_of_card(candidate.card)
            if arguments.tflite_runtime and candidate.path:
                results[-1]["runtimes"] = compare_runtimes(
                    candidate.path, test.pixels, arguments.tflite_runtime
                )
        print(one_line(results[-1]), f"({time.monotonic() - started_s:.0f} s)", flush=True)
    output = getattr(arguments, "output", None)
    if output is None:
        return 0
    facts = {
        "command": "python -m training " + shorten(command),
        "date": time.strftime("%Y-%m-%d"),
        "git_revision": git_revision(),
        "faces": {faces.name: facts_of(faces) for faces in others},
        "results": results,
    }
    if arguments.keep:
        facts["results"] = with_earlier(results, read_earlier(output.with_suffix(".json")))
    write_report(json.loads(json.dumps(facts)), output)
    write_json(output.with_suffix(".json"), facts)
    print(f"{output} and its plots")
    return 0


def check_first(arguments: argparse.Namespace) -> None:
    """Looks at what the end of the command needs.

    Raises:
        UsageError: the report cannot be written or kept, or the other Python lacks a package.
    """
    output = getattr(arguments, "output", None)
    if output:
        require_output(output, output.with_suffix(".json"))
        require_folder(output.parent / "img")
    if getattr(arguments, "keep", False):
        earlier = read_earlier(arguments.output.with_suffix(".json"))  # not there: said at once
        missing = set(earlier["faces"]) - {folder.name for folder in arguments.faces}
        if missing:
            raise UsageError(
                f"--keep: the earlier report has {', '.join(sorted(missing))}, too; name "
                "the same folders with --faces"
            )
    if arguments.tflite_runtime:
        require_runtime(arguments.tflite_runtime)


def read_earlier(path: Path) -> dict[str, Any]:
    """The measurements behind the report that is there.

    Raises:
        UsageError: none there, or damaged.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {key: facts[key] for key in ("date", "git_revision", "faces", "results")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: no earlier report to keep anything of ({reason(error)})"
        ) from error


def with_earlier(results: list[dict[str, Any]], earlier: dict[str, Any]) -> list[dict[str, Any]]:
    """The results, and in the earlier report's order those that were not measured again.

    Each of those says in ``earlier`` when and at which revision it was measured.
    """
    new = {result["name"]: result for result in results}
    when = {key: earlier[key] for key in ("date", "git_revision")}
    merged = [
        new.pop(old["name"], {**old, "earlier": old.get("earlier", when)})
        for old in earlier["results"]
    ]
    return [*merged, *new.values()]


def line_up(arguments: argparse.Namespace, validation: Pictures) -> list[Candidate]:
    """Our pairs first (those that ship before the others), the baseline, the published files."""
    files = sorted(arguments.models.glob("expression*.tflite"), key=lambda path: path.stem)
    candidates = [of_pair(path) for path in files if path.with_suffix(".json").exists()]
    candidates += [ours(path, validation) for path in arguments.pair]
    if arguments.hog.exists():
        candidates.append(baseline(arguments.hog))
    return candidates + [published(path) for path in arguments.peer]


def facts_of_card(card: ModelCard) -> dict[str, Any]:
    """What the report takes from a card instead of measuring it again."""
    return {
        "card": {key: card.facts[key] for key in ("parity", "run", "head")},
        "temperature": card.temperature,
        "prior_shift": card.prior_shift,
    }


def facts_of(faces: OutOfDomainFaces) -> dict[str, int]:
    """How many faces a folder gave."""
    return {"found": len(faces.labels), "missed": faces.missed}


def one_line(result: dict[str, Any]) -> str:
    """The accuracies of one candidate."""
    parts = [f"{name} {value['accuracy']:.2%}" for name, value in
             {**result["protocols"], **result["wild"]}.items()]  # fmt: skip
    return f"{result['name']}: {', '.join(parts)}, {result['latency_ms']} ms"
