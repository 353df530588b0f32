"""``export face-hog``: a run of the HOG face detector becomes ``face_hog.npz`` and its card.

The device reads the arrays alone; the card is for people and for the comparison with the file in
place. Nothing is converted: what the gate compares is the file as the device's OpenCV sees it.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import MienError
from device.vision.model_card import ModelCard
from device.vision.stage import WINDOW_PX, make_descriptor
from export.card import make_card
from export.door import Candidate, add_options, deliver
from export.gate import Limit, size_limit, time_limit, time_of_face_ms
from export.in_place import Comparison
from export.pair import require_writable
from training.data.fer2013 import Split, read_pictures
from training.data.splits import require_split
from training.face_hog.train import (
    KIND,
    Features,
    describe,
    distances,
    found_faces,
    jittered,
    load_arrays,
)
from training.files import reason
from training.runs import read_settings, trained_on

FOLDER = Path("device/vision")  # beside the detector that reads it
MIN_RECALL = 0.5  # of validation faces; half as many as faces there are help nobody
MAX_OFF = 1e-4  # of a window's distance from the plane, between the run and the file
MAX_BYTES = 10_000
MAX_WINDOW_MS = 1.0
NUM_COMPARED = 200


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser(KIND, help="a run of the HOG detector to what the device may run")
    parser.add_argument("run_path", type=Path, metavar="RUN", help="run directory of face-hog")
    parser.add_argument("--data", type=Path, help="fer2013.csv, default: the run's own")
    add_options(parser, FOLDER)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Packs, compares, and only then writes."""
    require_writable(arguments.models)
    run = arguments.run_path
    settings = read_settings(run, KIND)
    weights, threshold = load_arrays(run)
    data = arguments.data or trained_on(run)[0]
    faces = require_split(read_pictures(data), Split.VALIDATION, data).pixels
    content = pack(weights, threshold)
    found = found_by(content, faces)
    limits = limits_of(content, weights, faces, found)
    recipe = settings["recipe"]
    facts: dict[str, Any] = {
        "input": {"shape": [WINDOW_PX, WINDOW_PX], "dtype": "uint8", "colour": "grey"},
        "run": {"name": run.name, "recipe": recipe, "git_revision": settings["git_revision"]},
        "metrics": {"recall": round(float(found.mean()), 4), "faces": len(found),
                    "measured_on": "FER2013's validation faces, jittered"},
        "data": "FER2013 (Goodfellow et al., 2013), training split; non-faces from pictures "
                "without faces",
    }  # fmt: skip
    facts["licence"] = "Apache-2.0 for the file; the pictures are under their owners' terms"
    card = make_card("face_hog", "detect", content, command, facts)
    against = comparison_with(found, faces)
    candidate = Candidate(content, card, limits, f"{len(found)} validation faces", against, ".npz")
    deliver(candidate, arguments.models, arguments.force)
    return 0


def pack(weights: Features, threshold: float) -> bytes:
    """The arrays as the bytes of the ``.npz`` that the device reads."""
    file = io.BytesIO()
    np.savez(file, weights=weights, threshold=np.float32(threshold))
    return file.getvalue()


def unpack(content: bytes) -> tuple[Features, float]:
    """Weights and threshold of such a file.

    Raises:
        MienError: not such a file.
    """
    try:
        with np.load(io.BytesIO(content)) as arrays:
            return np.asarray(arrays["weights"], np.float32), float(arrays["threshold"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MienError(f"not a file of HOG weights ({reason(error)})") from error


def found_by(content: bytes, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """(n,) which of the faces a file finds at its own threshold."""
    return found_faces(faces, *unpack(content))


def limits_of(
    content: bytes,
    weights: Features,
    faces: npt.NDArray[np.uint8],
    found: npt.NDArray[np.bool_],
) -> list[Limit]:
    """What the gate asks of the file."""
    windows = jittered(faces, np.random.default_rng(1), NUM_COMPARED)
    detector = make_descriptor()
    detector.setSVMDetector(unpack(content)[0])
    seen = [window_distance(detector, window) for window in windows]
    off = float(np.abs(np.array(seen) - distances(describe(windows), weights)).max())
    taken_ms = time_of_face_ms(lambda: window_distance(detector, windows[0]))
    return [
        Limit("recall of validation faces", float(found.mean()), MIN_RECALL, True, "{:.1%}"),
        Limit("a window's distance is off by", off, MAX_OFF),
        size_limit(content, MAX_BYTES),
        time_limit(taken_ms, MAX_WINDOW_MS),
    ]


def window_distance(detector: Any, window: npt.NDArray[np.uint8]) -> float:
    """Of one window from the plane, as OpenCV's detector computes it."""
    _, scores = detector.detect(window, hitThreshold=-1e3)
    return float(np.ravel(scores)[0])


def comparison_with(
    found: npt.NDArray[np.bool_], faces: npt.NDArray[np.uint8]
) -> Callable[[bytes, ModelCard], Comparison | None]:
    """How the file in place is compared with a new one, whose finds are known."""

    def against(old: bytes, card: ModelCard) -> Comparison | None:
        if card.task != "detect":
            return None
        old_found = found_by(old, faces)
        measure = "recall of FER2013's validation faces, jittered,"
        return Comparison(measure, found.astype(float), old_found.astype(float), "faces")

    return against
