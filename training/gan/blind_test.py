"""``training blind-test``: pictures for people who say whether they are real, and what they show.

Detector, landmarks, classifier and synthesizer are those of ``mien synthesize``. The synthesized
pictures carry no mark, or they would tell: they are for the test alone.
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.errors import UsageError
from device.settings import Settings
from device.vision.stage import MODELS, FaceStage, TFLiteClassifier, build_stage
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS, Expression, Face, Image
from training.data.listings import read_labels
from training.data.rows import read_rows
from training.files import require_folder, write_table
from training.gan.blind_score import COLUMNS, NAMING, REALISM, score

NUM_REAL = NUM_SYNTHETIC = 20
NUM_PEOPLE = 4  # who are shown with all seven expressions


@dataclass(frozen=True)
class Picture:
    """A picture, who is in it, what its label says, and what was seen in it.

    Attributes:
        shown: what the classifier names.
        asked: None for a picture that stays as it is.
    """

    path: Path
    person: str
    label: Expression
    face: Face | None = None
    shown: Expression | None = None
    asked: Expression | None = None


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("blind-test", help="make, or score, a test of people's eyes")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="with labels.csv")
    parser.add_argument("--generator", type=Path, metavar="PAIR.tflite")
    parser.add_argument("--output", type=Path, metavar="OUT", help="new folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--score", nargs=2, type=Path, metavar=("ANSWERS", "GUESSES"),
                        help="OUT/answers.csv, and a table of file and answer")  # fmt: skip
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Writes the pictures and their answers, or scores what somebody said of them."""
    making = (arguments.folder, arguments.generator, arguments.output)
    if arguments.score:
        if any(making):
            raise UsageError("--score goes with no FOLDER, --generator and --output")
        print(score(*arguments.score))
        return 0
    if not all(making):
        raise UsageError("blind-test needs FOLDER, --generator and --output, or --score")
    if arguments.output.exists():
        raise UsageError(f"{arguments.output}: already there; name another folder with --output")
    require_folder(arguments.output)
    write_test(arguments.folder, arguments.output, arguments.generator, arguments.seed)
    return 0


def write_test(folder: Path, output: Path, generator: Path, seed: int) -> None:
    """Writes the pictures of both parts in random order, and the answers last."""
    synthesizer = Synthesizer.load(generator)
    random = np.random.default_rng(seed)
    rows = []
    for name, pictures in choose(Album(folder, random), random).items():
        (output / name).mkdir(parents=True)
        for number, index in enumerate(random.permutation(len(pictures)), start=1):
            picture, file = pictures[index], f"{name}/{number:02}.png"
            write_png(output / file, made_of(picture, synthesizer))
            truth = "synthetic" if picture.asked else "real"
            rows.append((file, truth, picture.asked.value if picture.asked else ""))
    write_table(output / "answers.csv", COLUMNS, rows)
    print(f"{len(rows)} pictures in {output}; none is marked as synthetic: for the test alone")


class Album:
    """The pictures of a folder in random order, each person taken once.

    A person is the column ``person`` of ``labels.csv``, else the file's name without its number.
    """

    def __init__(self, folder: Path, random: np.random.Generator) -> None:
        """Reads the list; the pictures are read when they are looked for.

        Raises:
            UsageError: no ``labels.csv``, or one that cannot be read.
        """
        self.folder = folder
        rows = read_rows(folder / "labels.csv", "the labels")
        listed = [
            Picture(path, row.get("person") or re.sub(r"[\W_]*\d+$", "", path.stem),
                    EXPRESSIONS[label])
            for (path, label), row in zip(read_labels(folder), rows, strict=True)
        ]  # fmt: skip
        self._left = [listed[i] for i in random.permutation(len(listed))]
        self.stage, prior = build_stage(Settings()), Settings().classifier.prior
        self.classifier = TFLiteClassifier.load(MODELS / "expression.tflite", prior)

    def good(self, count: int) -> list[Picture]:
        """The first pictures with a good face, at most so many; nobody is taken."""
        seen = (look(picture, self.stage, self.classifier) for picture in self._left)
        return list(islice((picture for picture in seen if picture), count))

    def take(
        self, label: Expression | None = None, asked: Expression | None = None
    ) -> Picture | None:
        """The next picture with a good face; its person is not taken again.

        Args:
            label: what it is labelled; None for anything.
            asked: what it shall show and, by label and classifier, does not.
        """
        for picture in [p for p in self._left if label in (None, p.label) and asked != p.label]:
            seen = look(picture, self.stage, self.classifier)
            if seen is None:
                self._left.remove(picture)
            elif asked is None or asked != seen.shown:
                self._left = [p for p in self._left if p.person != picture.person]
                return replace(seen, asked=asked)
        return None


def look(picture: Picture, stage: FaceStage, classifier: TFLiteClassifier) -> Picture | None:
    """The picture with its largest face; None without one, or if the quality gate refuses it."""
    faces = stage.find(stage.grey(read_image(picture.path)))[:1]
    if not faces or faces[0].rejection_reason:
        return None
    [seen] = classifier.classify(faces)
    return replace(picture, face=faces[0], shown=seen.expression)


def choose(album: Album, random: np.random.Generator) -> dict[str, list[Picture]]:
    """The pictures of each part, nobody in two of them.

    Real ones show all expressions as evenly as the labels allow, as the synthesized are asked
    to: what a face shows must not tell.

    Raises:
        UsageError: too few people with a good face.
    """
    realism = [album.take(label) or album.take() for label in deal(NUM_REAL, random)]
    realism += [album.take(asked=asked) for asked in deal(NUM_SYNTHETIC, random)]
    people = [album.take() for _ in range(NUM_PEOPLE)]
    naming = [p and replace(p, asked=asked) for p in people for asked in EXPRESSIONS]
    if None in realism + naming:
        raise UsageError(
            f"{album.folder}: too few people with a face that is found and good enough; "
            f"{NUM_REAL + NUM_SYNTHETIC + NUM_PEOPLE} are needed"
        )
    return {REALISM: [p for p in realism if p], NAMING: [p for p in naming if p]}


def deal(count: int, random: np.random.Generator) -> list[Expression]:
    """All expressions equally often, as far as ``count`` goes."""
    order = random.permutation(len(EXPRESSIONS))
    return [EXPRESSIONS[order[i % len(order)]] for i in range(count)]


def made_of(picture: Picture, synthesizer: Synthesizer) -> Image:
    """The picture as it is, or with its face showing what is asked."""
    image = read_image(picture.path)
    if picture.asked is None or picture.face is None:
        return image
    return synthesizer.synthesize(image, picture.face, picture.asked, picture.shown)


def read_image(path: Path) -> Image:
    """(height, width) grey or (height, width, 3) RGB uint8, as the file is.

    Raises:
        UsageError: not a picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_ANYCOLOR)
    if image is None:
        raise UsageError(f"{path}: not a readable picture")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image.ndim == 3 else image)


def write_png(path: Path, image: Image) -> None:
    """Writes pixels and no metadata, not even the time: synthesizing takes longer than copying.

    Raises:
        UsageError: the folder does not take it.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    if not cv2.imwrite(str(path), bgr):
        raise UsageError(f"{path}: cannot write")
    os.utime(path, (0, 0))
