"""``training evaluate-detector``: recall, false alarms and cost of every face detector.

Any folder of pictures with a box list (columns file, x, y, w, h) gives recall; any folder of
pictures without faces gives false alarms, of which only the half that ``face-hog`` never
trains on is used. A video gives the cost of a frame when detection is amortised by tracking.
The demo portrait and, if given, a picture of a group are counted as stills, and the demo is
played for a minute through the device's tracker.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from device.camera.demo import PORTRAIT_PATH
from device.errors import MienError, UsageError
from device.vision.stage import (
    BlazeFaceDetector,
    DetectionInterval,
    build_checked,
    load_cascade,
    load_check,
)
from device.vocabulary import BoundingBox, Face
from training.data.listings import read_box_rows
from training.data.pictures import is_held_out, read_folder, read_grey
from training.files import MODELS, read_numbers, require_output, write_json
from training.reports.moving_demo import follow_demo

MIN_FACE_PX = 48  # the device's default
MAX_FACES = 100
MIN_OVERLAP = 0.5
SIZES = ((40, 60), (60, 100), (100, 10_000))  # px, of the longer side of an annotated box
VIDEO_SIZE = (640, 480)
DEMO_S = 60.0  # twice the demo's period

Grey = npt.NDArray[np.uint8]


class Detector(Protocol):
    """What is measured."""

    def detect(self, image: Grey) -> list[Face]:
        """Faces of a grey picture."""


class UsualCall:
    """What most programs do: OpenCV's default cascade, default numbers, the whole frame."""

    def __init__(self) -> None:
        self._cascade = load_cascade("haarcascade_frontalface_default.xml")

    def detect(self, image: Grey) -> list[Face]:
        """Faces of a grey picture."""
        found = self._cascade.detectMultiScale(image, scaleFactor=1.1, minNeighbors=5)
        return [Face(BoundingBox(x, y, x + w, y + h), 1.0) for x, y, w, h in np.asarray(found)]


DETECTORS: dict[str, Callable[[], Detector]] = {
    "usual call": UsualCall,
    "haar": lambda: build_checked("haar", MIN_FACE_PX, MAX_FACES, load_check()),
    "hog": lambda: build_checked("hog", MIN_FACE_PX, MAX_FACES, load_check()),
    "both": lambda: build_checked("both", MIN_FACE_PX, MAX_FACES, load_check()),
    "haar, unchecked": lambda: build_checked("haar", MIN_FACE_PX, MAX_FACES, None),
    "hog, unchecked": lambda: build_checked("hog", MIN_FACE_PX, MAX_FACES, None),
    "blazeface": lambda: BlazeFaceDetector(MODELS, MIN_FACE_PX, MAX_FACES),
}


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("evaluate-detector", help="measure the face detectors")
    parser.add_argument("--pictures", type=Path, required=True, help="folder the list refers to")
    parser.add_argument("--boxes", type=Path, help="CSV file,x,y,w,h; default PICTURES/boxes.csv")
    parser.add_argument("--faceless", type=Path, required=True, help="pictures without faces")
    parser.add_argument("--video", type=Path, help="for the amortised cost at 640×480")
    parser.add_argument("--group", type=Path, help="a picture of a group: how many are found")
    parser.add_argument("--detector", action="append", choices=list(DETECTORS), dest="names")
    parser.add_argument(
        "--output", type=Path, help="JSON of the numbers; keeps other detectors' rows"
    )
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Measures and prints a line a detector; ``report-faces`` makes tables of the JSON."""
    require_output(arguments.output)
    kept = {}
    if arguments.output and arguments.output.exists():
        kept = read_numbers(arguments.output)
    cv2.setNumThreads(1)
    boxes = read_boxes(arguments.boxes or arguments.pictures / "boxes.csv")
    pictures = {name: read_grey(arguments.pictures / name, 10_000) for name in boxes}
    faceless = [p for name, p in read_folder(arguments.faceless) if is_held_out(name)]
    if not faceless:
        raise UsageError(f"{arguments.faceless}: none of these pictures is held out for measuring")
    frames = read_video(arguments.video) if arguments.video else []
    megapixels = sum(picture.size for picture in faceless) / 1e6
    print(f"{len(pictures)} pictures with {sum(map(len, boxes.values()))} faces; "
          f"{len(faceless)} without, {megapixels:.1f} megapixels\n")  # fmt: skip
    group = read_grey(arguments.group, 10_000) if arguments.group else None
    results = {}
    for name in arguments.names or DETECTORS:
        try:
            detector = DETECTORS[name]()
        except MienError as error:
            print(f"{name}: not measured: {error}")
            continue
        row = measure(detector, pictures, boxes, faceless, frames, name == "usual call")
        results[name] = row | count_faces(detector, group) | follow_demo(detector.detect, DEMO_S)
        print(f"{name}: {', '.join(show(*item) for item in results[name].items())}", flush=True)
    if arguments.output:
        write_json(arguments.output, kept | results)
    return 0


def show(key: str, value: float) -> str:
    """A number with its name."""
    return f"{key} {value:.4g}"


def count_faces(detector: Detector, group: Grey | None) -> dict[str, int]:
    """How many faces the demo portrait, which shows one, and a picture of a group have."""
    portrait = read_grey(PORTRAIT_PATH, 10_000)
    counts = {"portrait_faces": len(detector.detect(portrait))}
    if group is not None:
        counts["group_faces"] = len(detector.detect(group))
    return counts


def measure(
    detector: Detector,
    pictures: dict[str, Grey],
    boxes: dict[str, list[BoundingBox]],
    faceless: list[Grey],
    frames: list[Grey],
    every_frame: bool,
) -> dict[str, Any]:
    """One row of the table; without frames no cost of a video."""
    start = time.thread_time()
    found = {name: detector.detect(picture) for name, picture in pictures.items()}
    cost_ms = (time.thread_time() - start) / len(pictures) * 1e3
    row: dict[str, Any] = {
        f"recall_{low}_{high}": recall(found, boxes, low, high) for low, high in SIZES
    }
    row["recall_60"] = recall(found, boxes, 60, 10_000)
    unseen = {name: listed for name, listed in boxes.items() if is_held_out(Path(name).name)}
    row["recall_60_held_out"] = recall(found, unseen, 60, 10_000)
    alarms = sum(len(detector.detect(picture)) for picture in faceless)
    row["false_alarms"] = alarms
    row["false_alarms_a_megapixel"] = alarms / (sum(p.size for p in faceless) / 1e6)
    row["ms_a_picture"] = cost_ms
    if frames:
        row["ms_vga"], row["ms_amortised"] = video_cost_ms(detector, frames, every_frame)
    return row


def recall(
    found: dict[str, list[Face]], boxes: dict[str, list[BoundingBox]], low: int, high: int
) -> float:
    """Share of the annotated faces of ``low`` px and more, below ``high``, that were found."""
    hits = [
        any(face.box.intersection_over_union(box) >= MIN_OVERLAP for face in found[name])
        for name, listed in boxes.items()
        for box in listed
        if low <= max(box.width, box.height) < high
    ]
    return float(np.mean(hits)) if hits else float("nan")


def video_cost_ms(
    detector: Detector, frames: Iterable[Grey], every_frame: bool
) -> tuple[float, float]:
    """Cost of one detection, and of a frame at 15 a second with the device's detection interval."""
    interval, costs = DetectionInterval(0.2), []
    number = 0
    for number, frame in enumerate(frames, start=1):
        if every_frame or interval.due(number / 15, unconfirmed=False):
            start = time.thread_time()
            detector.detect(frame)
            costs.append((time.thread_time() - start) * 1e3)
            interval.detected(number / 15, costs[-1] / 1e3)
    return float(np.median(costs)), float(np.sum(costs)) / number


def read_boxes(path: Path) -> dict[str, list[BoundingBox]]:
    """The annotated boxes of each file.

    Raises:
        UsageError: unreadable or without the five columns.
    """
    boxes: dict[str, list[BoundingBox]] = {}
    for file, (x, y, width, height) in read_box_rows(path):
        boxes.setdefault(file, []).append(BoundingBox(x, y, x + width, y + height))
    if not boxes:
        raise UsageError(f"{path}: no boxes in it")
    return boxes


def read_video(path: Path, max_frames: int = 90) -> list[Grey]:
    """The first frames, grey, at 640×480.

    Raises:
        UsageError: not a video.
    """
    capture = cv2.VideoCapture(str(path))
    frames: list[Grey] = []
    while len(frames) < max_frames:
        read, frame = capture.read()
        if not read:
            break
        small = cv2.resize(frame, VIDEO_SIZE, interpolation=cv2.INTER_AREA)
        frames.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8))
    capture.release()
    if not frames:
        raise UsageError(f"{path}: not a readable video")
    return frames
