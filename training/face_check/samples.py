"""Boxes for ``training face-check``: faces, and what detectors take for faces.

Each sample is a picture of a box with its surroundings, (80, 80) uint8; every look at it is
rendered anew. Files that are held out (``is_held_out``) are never read here.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import CROP_PX, cut_square
from device.vision.stage import (
    CHECK_MARGIN,
    BlazeFaceDetector,
    HaarDetector,
    HogDetector,
)
from device.vocabulary import BoundingBox, Face
from training.data.pictures import is_held_out, read_folder, read_grey
from training.files import MODELS, reason
from training.landmarks.faces import spoil
from training.reports.evaluate_detector import read_boxes

WIDE_PX = 80
WIDE_MARGIN = 0.8  # the box is 44 of the 80 px
MIN_FACE_PX = 40
MAX_FACES = 400
LAX_DISTANCE = 0.8  # HOG's threshold is this much lower while samples are gathered
SAME_FACE = 0.5  # intersection over union with an annotated box
NO_FACE = 0.1  # at most, with anything that may be a face
BESIDE = 0.3  # at most, of a box around a part of a face
PARTS_A_FACE = 24
ANYWHERE_A_PICTURE = 12
ZOOM, SHIFT, TILT_DEG = 0.14, 0.07, 7.0  # of a look: log of the side, share of it, deviation
CHOOSING_SHARE = 0.6  # files beyond this, but not held out, choose the threshold

Grey = npt.NDArray[np.uint8]
Find = Callable[[Grey], list[Face]]


@dataclass(frozen=True)
class Samples:
    """(n, 80, 80) uint8 faces and non-faces."""

    faces: Grey
    others: Grey


def chooses(name: str) -> bool:
    """True for files that are not learned but choose the threshold."""
    return is_held_out(name, CHOOSING_SHARE)


def gather(afw: Path, faceless: Path, random: np.random.Generator) -> tuple[Samples, Samples]:
    """Samples to learn from, and samples that choose the threshold.

    Args:
        afw: pictures with ``boxes.csv``: faces, and parts of pictures that show none.
        faceless: pictures without faces.
        random: places the parts of faces.

    Raises:
        UsageError: no faces or no other boxes among the files that are not held out.
    """
    finds = lax_detectors()
    groups: tuple[tuple[list[Grey], list[Grey]], ...] = (([], []), ([], []))
    for name, faces, others in [
        *of_annotated(afw, finds, random),
        *of_faceless(faceless, finds, random),
    ]:
        group = groups[chooses(name)]
        group[0].extend(faces)
        group[1].extend(others)
    learned, choosing = (Samples(stacked(faces), stacked(others)) for faces, others in groups)
    if not (len(learned.faces) and len(learned.others)):
        raise UsageError(f"{afw}, {faceless}: no faces, or nothing else, in files to learn from")
    return learned, choosing


def lax_detectors() -> list[Find]:
    """Haar and HOG, content with little."""
    hog = HogDetector(MIN_FACE_PX, MAX_FACES, relax=LAX_DISTANCE)
    haar = HaarDetector(MIN_FACE_PX, MAX_FACES, min_neighbours=0)
    return [hog.detect, haar.detect]


def of_annotated(
    folder: Path, finds: Sequence[Find], random: np.random.Generator
) -> Iterator[tuple[str, list[Grey], list[Grey]]]:
    """(file name, faces, others) of each picture that is not held out."""
    blazeface = BlazeFaceDetector(MODELS, MIN_FACE_PX, MAX_FACES)
    for path, boxes in read_boxes(folder / "boxes.csv").items():
        name = Path(path).name
        if is_held_out(name):
            continue
        picture = read_grey(folder / path, 10_000)
        # The annotation is not complete: what may be a face all the same is left out.
        maybe = [*boxes, *(face.box for face in blazeface.detect(picture))]
        found = [face.box for find in finds for face in find(picture)]
        faces = boxes + [box for box in found if overlap(box, boxes) >= SAME_FACE]
        others = [wide(picture, box) for box in parts_of(boxes, maybe, random)]
        for view, avoided in turned(picture, maybe):
            found = [face.box for find in finds for face in find(view)]
            found += anywhere(view, random)
            others += [wide(view, box) for box in found if overlap(box, avoided) <= NO_FACE]
        yield name, [wide(picture, box) for box in faces], others


def of_faceless(
    folder: Path, finds: Sequence[Find], random: np.random.Generator
) -> Iterator[tuple[str, list[Grey], list[Grey]]]:
    """(file name, no faces, what was taken for some) of each picture that is not held out."""
    for name, picture in read_folder(folder):
        if is_held_out(name):
            continue
        others = []
        for view, _ in turned(picture, []):
            found = [face.box for find in finds for face in find(view)] + anywhere(view, random)
            others += [wide(view, box) for box in found]
        yield name, [], others


def turned(picture: Grey, boxes: Sequence[BoundingBox]) -> Iterator[tuple[Grey, list[BoundingBox]]]:
    """The picture and its boxes, upright and turned by one, two and three quarters."""
    boxes = list(boxes)
    for _ in range(4):
        yield picture, boxes
        width = picture.shape[1]
        picture = np.rot90(picture).copy()
        boxes = [BoundingBox(b.ymin, width - b.xmax, b.ymax, width - b.xmin) for b in boxes]


def anywhere(picture: Grey, random: np.random.Generator) -> list[BoundingBox]:
    """Boxes of any place and size, also where no detector sees anything."""
    height, width = picture.shape
    boxes = []
    for _ in range(ANYWHERE_A_PICTURE):
        largest = max(min(height, width), MIN_FACE_PX)
        side = float(np.exp(random.uniform(np.log(MIN_FACE_PX), np.log(largest))))
        x, y = random.uniform(0, max(width - side, 1)), random.uniform(0, max(height - side, 1))
        boxes.append(BoundingBox(x, y, x + side, y + side))
    return boxes


def parts_of(
    boxes: Sequence[BoundingBox], faces: Sequence[BoundingBox], random: np.random.Generator
) -> list[BoundingBox]:
    """Boxes around half a face, a mouth, a head with its shoulders: nearly faces."""
    parts = []
    for box in boxes:
        for _ in range(PARTS_A_FACE):
            half = box.width / 2 * np.exp(random.uniform(np.log(0.3), np.log(2.6)))
            x, y = np.array(box.center) + random.uniform(-0.9, 0.9, 2) * box.width
            part = BoundingBox(x - half, y - half, x + half, y + half)
            if overlap(part, faces) <= BESIDE:
                parts.append(part)
    return parts


def overlap(box: BoundingBox, boxes: Sequence[BoundingBox]) -> float:
    """The largest intersection over union with one of the boxes."""
    return max((box.intersection_over_union(other) for other in boxes), default=0.0)


def wide(picture: Grey, box: BoundingBox) -> Grey:
    """(80, 80) uint8: the box and its surroundings."""
    return cut_square(picture, box, WIDE_MARGIN, WIDE_PX)


def stacked(pictures: list[Grey]) -> Grey:
    """(n, 80, 80), also of none."""
    return np.stack(pictures) if pictures else np.empty((0, WIDE_PX, WIDE_PX), np.uint8)


def of_pictures(pictures: Sequence[Grey], margin: float) -> Grey:
    """(n, 80, 80) of pictures that show nothing but a face.

    Args:
        pictures: square, grey.
        margin: of the pictures around a detector's box, a share of the box's side.
    """
    samples = []
    for picture in pictures:
        side = picture.shape[0]
        gap = side * (1 - 1 / (1 + margin)) / 2
        samples.append(wide(picture, BoundingBox(gap, gap, side - gap, side - gap)))
    return stacked(samples)


def read_zip(path: Path, number: int) -> list[Grey]:
    """Grey pictures of a zip, evenly chosen.

    Raises:
        UsageError: no such zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in sorted(archive.namelist()) if n.lower().endswith((".jpg", ".png"))]
            chosen = names[:: max(1, len(names) // number)][:number]
            contents = [archive.read(name) for name in chosen]
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: not a readable zip of pictures: {reason(error)}") from error
    decoded = [
        cv2.imdecode(np.frombuffer(io.BytesIO(c).getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)
        for c in contents
    ]
    return [np.asarray(picture, np.uint8) for picture in decoded if picture is not None]


def look(sample: Grey, random: np.random.Generator) -> Grey:
    """(48, 48) uint8: a sample as a box that is a little off shows it, in some light."""
    zoom = CROP_PX / WIDE_PX * (1 + WIDE_MARGIN) / (1 + CHECK_MARGIN)
    zoom *= float(np.exp(random.uniform(-ZOOM, ZOOM)))
    middle = (WIDE_PX - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), random.normal(0, TILT_DEG), zoom)
    matrix[:, 2] += (CROP_PX - 1) / 2 - middle + random.uniform(-SHIFT, SHIFT, 2) * CROP_PX  # type: ignore[arg-type]
    warped = cv2.warpAffine(sample, matrix, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    crop = np.asarray(warped, np.uint8)
    if random.random() < 0.5:
        crop = crop[:, ::-1].copy()
    return spoil(crop, random) if random.random() < 0.7 else crop


def straight(samples: Grey) -> Grey:
    """(n, 48, 48) uint8: each box as the device cuts it."""
    side = round(WIDE_PX * (1 + CHECK_MARGIN) / (1 + WIDE_MARGIN))
    first = (WIDE_PX - side) // 2
    inner = samples[:, first : first + side, first : first + side]
    size = (CROP_PX, CROP_PX)
    resized = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA) for crop in inner]
    return np.stack(resized) if resized else np.empty((0, *size), np.uint8)
