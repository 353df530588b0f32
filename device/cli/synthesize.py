"""``mien synthesize``: the largest face of a picture shows another expression, and says so.

``--expression all`` writes one sheet: the face as it is and as all seven. Each result carries a
visible mark and metadata; nothing of the original file's metadata is kept.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from device.camera.picture import read_picture
from device.cli.arguments import given_path, require_writable
from device.daemon.build import build_vision
from device.daemon.paths import state_folder, write_atomically
from device.errors import ModelError, UsageError
from device.files import read_file
from device.settings import load_settings
from device.vision import MODELS
from device.vision.generator import MIN_FACE_PX, LazySynthesizer, find_generators
from device.vision.model_card import MAX_MODEL_BYTES
from device.vision.model_store import ModelStore
from device.vision.preprocess import crop_face, to_grey
from device.vision.synthesizer import Synthesizer, surroundings
from device.vision.synthetic_mark import draw_mark, encode_marked
from device.vision.trial_user import foreign_owner
from device.vocabulary import EXPRESSIONS, BoundingBox, Expression, Face, GreyImage, Image

SUFFIXES = (".png", ".jpg", ".jpeg")
SEARCH_PX = 1600  # longer pictures are searched at this length; faces in portraits are large
TILE_PX = 240  # side of a tile of the sheet
Examine = Callable[[GreyImage], list[Face]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("picture", type=given_path, metavar="PICTURE", help="picture with a face")
    names = ", ".join(e.value for e in EXPRESSIONS)
    parser.add_argument("--expression", required=True, metavar="NAME", help=f"{names} or all")
    parser.add_argument(
        "--output", required=True, type=given_path, metavar="FILE", help=".png or .jpg"
    )
    parser.add_argument(
        "--model", type=given_path, metavar="FILE", help="another generator (.tflite)"
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Writes the marked result; the output file appears whole or not at all."""
    expressions = wanted(args.expression)
    check_output(args.output, args.picture)
    if args.model:
        check_model(args.model)
    settings = load_settings(args.config, environment)
    image = read_picture(args.picture, color=True)
    store = ModelStore(state_folder(settings.device.state_dir, environment) / "models")
    models = [args.model] if args.model else list(filter(_is_ours, find_generators(store)))
    if not models:
        raise ModelError(f"{MODELS}: no generator here; name one with --model")
    synthesizer = LazySynthesizer(lambda: models, settings.classifier.threads).get()
    vision = build_vision(settings)
    face, num_faces = largest_face(
        image, vision.stage.find, args.picture, settings.detector.min_face_px
    )
    if num_faces > 1:
        print(f"mien: {args.picture}: {num_faces} faces, taking the largest", file=sys.stderr)
    cut = replace(face, crop=crop_face(to_grey(image), face))
    [seen] = vision.classifier.classify([cut])
    if len(expressions) == 1:
        result = draw_mark(synthesizer.synthesize(image, face, expressions[0], seen.expression))
    else:
        result = sheet(synthesizer, image, face, expressions, seen.expression)
    write_whole(args.output, encode_marked(result, args.output.suffix.lower()))
    return 0


def _is_ours(generator: Path) -> bool:
    """False, and said, for one that somebody else than root has put there, where root asks."""
    if generator.parent == MODELS or foreign_owner(generator) is None:
        return True
    told = "another user's: root does not load it; --model names one all the same"
    print(f"mien: {generator}: {told}", file=sys.stderr)
    return False


def wanted(name: str) -> tuple[Expression, ...]:
    """The expressions that ``--expression`` names.

    Raises:
        UsageError: no such expression.
    """
    chosen = {"all": EXPRESSIONS, **{e.value: (e,) for e in EXPRESSIONS}}
    if name not in chosen:
        known = ", ".join(e.value for e in EXPRESSIONS)
        raise UsageError(f"--expression {name!r}: known are {known}, and all")
    return chosen[name]


def check_output(output: Path, picture: Path) -> None:
    """Finds out before any work whether the result can be written.

    Raises:
        UsageError: not a picture's name, a folder, not writable, or the picture itself.
    """
    named = f"--output {output}"
    try:
        problem = _problem_of(output, picture)
    except OSError as error:
        raise UsageError(f"{named}: cannot write: {error.strerror}") from error
    if problem:
        raise UsageError(f"{named}: {problem}")
    require_writable(output.parent, named)


def _problem_of(output: Path, picture: Path) -> str | None:
    """OSError: it cannot even be looked at."""
    if output.suffix.lower() not in SUFFIXES:
        return f"the name must end in {' or '.join(SUFFIXES)}"
    if output.is_dir() or not output.parent.is_dir():
        return "not a file in an existing folder"
    if output.exists() and not output.is_file():
        return "is a device or a pipe; name a file"
    if output.exists() and not os.access(output, os.W_OK):
        return "not writable"
    with suppress(PermissionError):  # of the picture, which is told when it is read
        if output.exists() and picture.exists() and output.samefile(picture):
            return "would overwrite the picture itself"
    return None


def check_model(path: Path) -> None:
    """Finds out before any work whether the generator is a file that can be read.

    Raises:
        UsageError: it is not, or cannot.
    """
    try:
        read_file(path, MAX_MODEL_BYTES)
    except FileNotFoundError as error:
        raise UsageError(f"--model {path}: no generator here") from error
    except OSError as error:
        raise UsageError(f"--model {path}: cannot read: {error.strerror}") from error


def largest_face(
    image: Image, examine: Examine, path: Path, sought_px: int = MIN_FACE_PX
) -> tuple[Face, int]:
    """The largest face, in pixels of the picture, and how many there are.

    Args:
        image: the picture.
        examine: finds faces in a grey picture.
        path: for the message.
        sought_px: for the message; ``examine`` looks for no smaller faces.

    Raises:
        UsageError: no face, or too small a face.
    """
    grey = to_grey(image)
    scale = min(1.0, SEARCH_PX / max(grey.shape))
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in grey.shape)
        small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        grey = np.asarray(small, np.uint8)
    faces = examine(grey)
    if not faces:
        raise UsageError(
            f"{path}: no face found; upright, frontal ones of at least "
            f"{max(sought_px, MIN_FACE_PX) / scale:.0f} px are"
        )
    box = max((face.box for face in faces), key=lambda box: box.area)
    box = BoundingBox(*(v / scale for v in (box.xmin, box.ymin, box.xmax, box.ymax)))
    if min(box.width, box.height) < MIN_FACE_PX:
        raise UsageError(
            f"{path}: the largest face is {min(box.width, box.height):.0f} px wide, "
            f"at least {MIN_FACE_PX} px are needed"
        )
    return Face(box, score=1.0), len(faces)


def sheet(
    synthesizer: Synthesizer,
    image: Image,
    face: Face,
    expressions: tuple[Expression, ...],
    shown: Expression,
) -> Image:
    """Two rows of tiles with names: the face and its surroundings, as it is and as asked."""
    rows, columns = surroundings(image, face.box)
    tiles = [_tile(image[rows, columns], "as it is")]
    for expression in expressions:
        made = synthesizer.synthesize(image, face, expression, shown)
        tiles.append(_tile(made[rows, columns], expression.value, is_synthetic=True))
    half = len(tiles) // 2
    return np.vstack([np.hstack(tiles[:half]), np.hstack(tiles[half:])])


def _tile(image: Image, name: str, is_synthetic: bool = False) -> Image:
    """One of the sheet; a made one carries its own mark, should somebody cut it out."""
    method = cv2.INTER_AREA if image.shape[0] > TILE_PX else cv2.INTER_CUBIC
    tile = np.asarray(cv2.resize(image, (TILE_PX, TILE_PX), interpolation=method), np.uint8)
    if is_synthetic:
        tile = draw_mark(tile)
    strip = np.zeros((22, *tile.shape[1:]), np.uint8)
    cv2.putText(strip, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255,) * 3, 1, cv2.LINE_AA)
    return np.vstack([strip, tile])


def write_whole(path: Path, content: bytes) -> None:
    """Writes the result: never half a file.

    Raises:
        UsageError: the folder or disk does not take it.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"--output {path}: cannot write: {error.strerror}") from error
