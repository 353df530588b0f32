"""Who is filmed: people with a picture at rest and pictures of expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS, Expression
from training.data.listings import read_labels
from training.data.pictures import read_grey
from training.data.rows import read_rows
from training.reports.evaluate_smoothing import FRAME_RATE_HZ
from training.sequences.camera import Film, FilmCamera

NEUTRAL = EXPRESSIONS.index(Expression.NEUTRAL)
PREFIX = 2  # letters of the file name that name the person where no column does, as in JAFFE
STILL_S = 4.0  # filmed of each picture; sequences play it round and round
HOLD_S = 2.0  # that an expression is shown


@dataclass(frozen=True)
class Showing:
    """An expression before the camera.

    Attributes:
        expression: number of it.
        film: answers of each frame.
        num_frames: shown.
        apex: frame at which it is judged; the expression is shown until then.
        again: the film is played round and round, from anywhere.
    """

    expression: int
    film: Film
    num_frames: int
    apex: int
    again: bool


@dataclass
class Person:
    """Films of one person at rest and with expressions."""

    name: str
    rests: list[Film] = field(default_factory=list)
    showings: list[Showing] = field(default_factory=list)


def film_stills(
    folder: Path, camera: FilmCamera, names: Sequence[str] = ()
) -> tuple[list[Person], list[str]]:
    """Films the pictures of a folder, a person after another.

    Args:
        folder: with ``labels.csv`` (file, label, and person, or the person's two letters first in
            the file's name).
        camera: that films.
        names: the people to film; empty for all.

    Returns:
        The people, and the names of those left out as they have no neutral picture.

    Raises:
        UsageError: no such people, a name that nobody has, or pictures that cannot be read.
    """
    pictures = read_people(folder, names)
    left_out = [name for name, own in pictures.items() if NEUTRAL not in {x for _, x in own}]
    people = []
    for name in sorted(pictures.keys() - set(left_out)):
        person = Person(name)
        for path, label in pictures[name]:
            num_frames = round(STILL_S * FRAME_RATE_HZ)
            film = camera.film([read_grey(path)] * num_frames)
            if label == NEUTRAL:
                person.rests.append(film)
            else:
                lasts = round(HOLD_S * FRAME_RATE_HZ)
                person.showings.append(Showing(label, film, lasts, lasts - 1, again=True))
        people.append(person)
    if not people:
        raise UsageError(f"{folder}: nobody in it has a neutral picture")
    return people, left_out


def read_people(folder: Path, names: Sequence[str]) -> dict[str, list[tuple[Path, int]]]:
    """(picture, number of its expression) of each person."""
    rows = read_rows(folder / "labels.csv", "the labels")
    people: dict[str, list[tuple[Path, int]]] = {}
    for (path, label), row in zip(read_labels(folder), rows, strict=True):
        people.setdefault(row.get("person") or path.name[:PREFIX], []).append((path, label))
    unknown = sorted(set(names) - people.keys())
    if unknown:
        raise UsageError(f"{folder}: nobody is called {', '.join(unknown)}")
    return {name: people[name] for name in names} if names else people
