"""``training evaluate-sequences``: people who pose expressions, one after another.

Stills of one person are shown in turn, with their neutral pictures between them; and neutral faces
of FER2013's validation split are moved by action units. All is filmed as a camera would see it and
named by the device's parts with its default settings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UsageError
from device.settings import Settings
from device.vision.stage import TFLiteClassifier
from device.vocabulary import EXPRESSIONS, Expression
from training.classifier.train import DATA, VOTES
from training.data.action_units import load_mesh
from training.data.fer2013 import Split, read_pictures
from training.data.splits import require_split
from training.files import MODELS, require_output, write_json
from training.sequences.camera import FilmCamera
from training.sequences.people import Person, film_stills, read_people
from training.sequences.play import Counts, play_long, play_person, summarise
from training.sequences.plot import plot_sequences
from training.sequences.table import sequences_table
from training.sequences.warps import film_warps

LONG_S = 600.0  # that somebody keeps smiling
AT_REST_S = 5.0  # seen before, or not at all
TUNED, OTHERS = "tuned on", "not tuned on"
HAPPY = EXPRESSIONS.index(Expression.HAPPY)
LOOKS = (EXPRESSIONS.index(Expression.SAD), EXPRESSIONS.index(Expression.ANGRY))


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser(
        "evaluate-sequences", help="measure expressions that people show one after another"
    )
    parser.add_argument("folder", type=Path, nargs="?", help="stills, with labels.csv")
    parser.add_argument("--persons", metavar="NAME,NAME", help="these alone (all)")
    parser.add_argument(
        "--tuned-on", metavar="NAME,NAME", help="tell these from the others, who were not tuned on"
    )
    parser.add_argument("--mesh", type=Path, metavar="FILE",
                        help="measure warps too: face_landmark.tflite, as in add-posed")  # fmt: skip
    parser.add_argument("--faces", type=int, default=24, help="people to warp (24)")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--votes", type=Path, default=VOTES)
    parser.add_argument("--model", type=Path, default=MODELS / "expression.tflite")
    parser.add_argument("--rest", choices=("auto", "off"), help="smoothing.rest (both)")
    parser.add_argument("--rounds", type=int, default=2, help="sequences of each person (2)")
    parser.add_argument("--output", type=Path, help="write the numbers as JSON and a plot, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Films everybody once, plays the films with and without the rest, prints the table."""
    if not arguments.folder and not arguments.mesh:
        raise UsageError("nothing to measure: give a folder of stills, or --mesh for warps")
    if arguments.output:
        require_output(arguments.output, arguments.output.with_suffix(".png"))
    classifier = TFLiteClassifier.load(arguments.model, Settings().classifier.prior)
    random = np.random.default_rng(arguments.seed)
    camera = FilmCamera(classifier, random)
    modes = [arguments.rest] if arguments.rest else ["off", "auto"]
    figures: dict[str, Any] = {"command": command, "model": classifier.card.sha256}
    if arguments.folder:
        names, tuned_on = names_in(arguments.persons), names_in(arguments.tuned_on)
        read_people(arguments.folder, tuned_on)  # a name that is not there is told at once
        people, left_out = film_stills(arguments.folder, camera, names)
        print(f"{len(people)} people; without a neutral picture: {len(left_out)}")
        figures["stills"] = measure(people, modes, arguments.rounds, arguments.seed, tuned_on)
        figures["stills_left_out"] = left_out
    if arguments.mesh:
        pictures = read_pictures(arguments.data, arguments.votes)
        pictures = require_split(pictures, Split.VALIDATION, arguments.data)
        mesh = load_mesh(arguments.mesh)
        people, missed = film_warps(pictures, mesh, camera, arguments.faces, random)
        print(f"{len(people)} warped people; left out as no face was found: {missed}")
        figures["warps"] = measure(people, modes, arguments.rounds, arguments.seed)
        figures["warps_left_out"] = missed
    print(sequences_table(figures))
    if arguments.output:
        write_json(arguments.output, figures)
        plot_sequences(figures, arguments.output.with_suffix(".png"))
    return 0


def names_in(option: str | None) -> list[str]:
    """The names of an option, separated by commas."""
    return option.split(",") if option else []


def measure(
    people: Sequence[Person], modes: Sequence[str], rounds: int, seed: int,
    tuned_on: Sequence[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each mode and group of people.

    The groups are all, those whose face at rest looks sad or angry, and if ``tuned_on`` names
    anybody, those and the others.
    """
    groups = {
        "all": people,
        "looks sad or angry at rest": [person for person in people if looks_unpleasant(person)],
        TUNED: [person for person in people if person.name in tuned_on],
        OTHERS: [person for person in people if tuned_on and person.name not in tuned_on],
    }
    rows = []
    for mode in modes:
        for group, members in groups.items():
            if members:
                row = {"rest": mode, "group": group, "people": len(members)}
                rows.append({**row, **play_all(members, mode, rounds, seed)})
    return rows


def looks_unpleasant(person: Person) -> bool:
    """True where the model by itself calls this face at rest sad or angry, on the whole."""
    answers = [
        answer.probabilities
        for film in person.rests
        for answer in film
        if answer is not None and answer.face.rejection_reason is None
    ]
    return bool(answers) and int(np.mean(answers, axis=0).argmax()) in LOOKS


def play_all(people: Sequence[Person], rest: str, rounds: int, seed: int) -> dict[str, Any]:
    """The figures of some people with ``smoothing.rest``; the same order for each setting."""
    settings = replace(Settings().smoothing, rest=rest)
    counts, random = Counts(), np.random.default_rng(seed)
    for person in people:
        for _ in range(rounds):
            play_person(person, settings, counts, random)
    figures = summarise(counts)
    smiles = [
        (person, showing)
        for person in people
        for showing in person.showings
        if showing.expression == HAPPY and showing.again
    ]
    for name, rest_s in (("smile_alone", 0.0), ("smile_after_rest", AT_REST_S)):
        shares = [play_long(*smile, settings, rest_s, LONG_S) for smile in smiles]
        if shares:
            figures[name] = float(np.mean(shares))
    return figures
