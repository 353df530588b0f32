"""``training evaluate``: what a run is worth, in float, on every protocol that the data allow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.classifier.metrics import fit_temperature, protocols_for, scores, truth_of
from training.classifier.networks import HEADS, count_macs
from training.classifier.read_recipe import read_recipe
from training.classifier.robustness import CONDITIONS
from training.data.cleaning import lend_validation
from training.data.fer2013 import Pictures, Split, read_pictures
from training.data.splits import require_split
from training.files import require_folder, write_json
from training.runs import newest_run, read_history, trained_on

TITLES = {
    "fer2013": "FER2013's labels",
    "majority": "FER+, more than half of the votes",
    "clean": "FER+, at least 8 of 10 votes",
}


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("evaluate", help="measure a run, with plots, in its directory")
    parser.add_argument("run_path", nargs="?", type=Path, metavar="RUN", help="default: newest")
    parser.add_argument("--data", type=Path, help="default: what the run was trained on")
    parser.add_argument("--votes", type=Path)
    parser.add_argument("--split", choices=("validation", "test"), default="validation",
                        help="test is looked at once, at the end")  # fmt: skip
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Measures and draws."""
    run = arguments.run_path or newest_run()
    recipe = read_recipe(run)
    data, votes = (arguments.data, None) if arguments.data else trained_on(run)
    require_folder(run)
    pictures = read_pictures(data, arguments.votes or votes)
    pictures = lend_validation(pictures, recipe.learn_validation)
    split = Split[arguments.split.upper()]
    for needed in {Split.TRAIN, Split.VALIDATION, split}:
        require_split(pictures, needed, data)
    for line in evaluate_run(run, pictures, split):
        print(line)
    return 0


def robustness(model: Any, pictures: Pictures) -> dict[str, dict[str, float]]:
    """Each head's accuracy, on its own labels, when the pictures get worse; to choose augmentation.

    Returns:
        By head and condition.
    """
    from training.classifier.trained import predict

    own = {head: protocol_of(head, pictures) for head in HEADS}
    truths = {head: truth_of(pictures, protocol) for head, protocol in own.items()}
    result: dict[str, dict[str, float]] = {head: {} for head in HEADS}
    for condition, worsen in CONDITIONS.items():
        logits = predict(model, worsen(pictures.pixels))
        for head, truth in truths.items():
            right = logits[head][truth.chosen].argmax(axis=1) == truth.labels
            result[head][condition] = round(float(right.mean()), 4)
    return result


def protocol_of(head: str, pictures: Pictures) -> str:
    """By which a head is chosen."""
    return "majority" if head == "crowd" and pictures.has_votes else "fer2013"


def evaluate_run(run: Path, pictures: Pictures, split: Split) -> list[str]:
    """Writes ``metrics-SPLIT.json`` and the plots of a run; returns one line a measurement."""
    from training.classifier.trained import load_network, predict
    from training.reports import plots

    model = load_network(run)
    validation, chosen = pictures.split(Split.VALIDATION), pictures.split(split)
    on_validation = predict(model, validation.pixels)
    logits = on_validation if split == Split.VALIDATION else predict(model, chosen.pixels)
    name, lines = split.name.lower(), []
    results: dict[str, Any] = {"parameters": model.count_params(), "macs": count_macs(model)}
    for head in HEADS:
        truth = truth_of(validation, protocol_of(head, pictures))
        temperature = fit_temperature(on_validation[head][truth.chosen], truth.labels)
        results[head] = {"temperature": temperature}
        for protocol in protocols_for(chosen):
            truth = truth_of(chosen, protocol)
            judged = logits[head][truth.chosen]
            result = scores(judged, truth.labels, temperature)
            results[head][protocol] = result
            title = f"{name}: {TITLES[protocol]}, head {head}"
            stem = f"{name}-{head}-{protocol}.png"
            plots.plot_confusion(result["confusion"], title, run / f"confusion-{stem}")
            plots.plot_reliability(judged, truth.labels, temperature, run / f"reliability-{stem}")
            lines.append(
                f"{title}: n {result['n']}, accuracy {result['accuracy']:.2%}, balanced "
                f"{result['balanced_accuracy']:.2%}, macro F1 {result['macro_f1']:.3f}, "
                f"ECE {result['ece']:.2%}"
            )
    for head, worse in robustness(model, chosen).items():
        results[head]["robustness"] = worse
        rates = ", ".join(f"{condition} {rate:.1%}" for condition, rate in worse.items())
        lines.append(f"{name}: head {head} on worse pictures: {rates}")
    write_json(run / f"metrics-{name}.json", results)
    plots.plot_curves(read_history(run), run / "curves.png")
    train = pictures.split(Split.TRAIN)
    plots.write_augmentation_sheet(
        train.pixels, read_recipe(run).augmentation, run / "augmentation.png"
    )
    return lines
