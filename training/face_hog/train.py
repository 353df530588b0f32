"""``training face-hog``: the HOG + linear SVM face detector of the device.

Faces are FER2013's training split, so a detected box has FER2013's framing. What is not a
face comes from any folder of pictures without faces (Debian's wallpapers, say), half of it
by file name; the other half stays for ``training evaluate-detector``. The SVM is trained,
searches the pictures for what it takes for faces, learns these as well, and so on.

It leaves a run directory; ``python -m export face-hog RUN`` makes of it what the device reads.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.stage import CELL_PX, WINDOW_PX, make_descriptor
from training.data.fer2013 import Split, read_pictures
from training.data.pictures import is_held_out, read_folder
from training.data.splits import require_split
from training.files import reason, whole, write_json
from training.runs import Row, new_run, read_settings, write_history, write_settings

KIND = "face-hog"
ARRAYS = "weights.npz"
DATA = Path("data/fer2013.csv")
MAX_FACES = 10000  # enough for 900 weights
WINDOWS_A_PICTURE = 200  # random ones, for the first round
MINED_A_PICTURE = 200  # hardest ones, each round
ROUNDS = 3
PENALTY = 0.003  # LinearSVC's C; chosen among 0.001, 0.003, 0.01, 0.03 on validation faces
NUM_MEASURED = 2000  # validation faces, jittered
FALSE_ALARMS_PER_MEGAPIXEL = 0.5  # where the threshold is set, on the training pictures

Features = npt.NDArray[np.float32]


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser(KIND, help="train the HOG face detector")
    parser.add_argument("--data", type=Path, default=DATA, help=f"fer2013.csv, default {DATA}")
    parser.add_argument("--faceless", type=Path, required=True, help="pictures without faces")
    parser.add_argument("--run", type=Path, dest="run_path", help="run directory to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Trains, mines, trains again; writes the run directory."""
    from training.reports.plots import plot_rows

    random = np.random.default_rng(arguments.seed)
    pictures = read_pictures(arguments.data)
    faces, validation = (
        require_split(pictures, split, arguments.data).pixels
        for split in (Split.TRAIN, Split.VALIDATION)
    )
    faceless = [p for name, p in read_folder(arguments.faceless) if not is_held_out(name)]
    if not faceless:
        raise UsageError(f"{arguments.faceless}: all pictures here are held out for measuring")
    run = new_run(arguments.run_path, KIND, resumes=False)
    data = {"path": str(arguments.data), "faceless": str(arguments.faceless),
            "faces": len(faces), "faceless_pictures": len(faceless)}  # fmt: skip
    recipe = {"kind": KIND, "seed": arguments.seed, "rounds": ROUNDS, "penalty": PENALTY,
              "false_alarms_per_megapixel": FALSE_ALARMS_PER_MEGAPIXEL}  # fmt: skip
    write_settings(run, recipe, data, command)
    weights, history = mine(faces, validation, faceless, random)
    write_history(run, history)
    plot_rows(history, run / "curves.png")
    threshold = choose_threshold(faceless, weights)
    recall = float(found_faces(validation, weights, threshold).mean())
    metrics = {
        "recall": round(recall, 4),
        "faces": NUM_MEASURED,
        "measured_on": "FER2013's validation faces, jittered, at the threshold",
    }
    write_json(run / "metrics.json", metrics)
    write_arrays(run, weights, threshold)
    print(f"threshold {threshold:.2f}, {recall:.1%} of validation faces found", flush=True)
    print(f"next: python -m export {KIND} {run}")
    return 0


def mine(
    faces: npt.NDArray[np.uint8],
    validation: npt.NDArray[np.uint8],
    faceless: list[npt.NDArray[np.uint8]],
    random: np.random.Generator,
) -> tuple[Features, list[Row]]:
    """(901,) weights after all rounds, and a row a round."""
    positives = describe(jittered(faces, random, MAX_FACES))
    negatives = describe(
        np.concatenate([random_windows(p, random) for p in faceless] + [face_parts(faces, random)])
    )
    weights = fit(positives, negatives)
    history: list[Row] = []
    for number in range(1, ROUNDS + 1):
        hard = np.concatenate([hardest_windows(p, weights, MINED_A_PICTURE) for p in faceless])
        if len(hard):
            negatives = np.concatenate([negatives, describe(hard)])
        weights = fit(positives, negatives)
        found = float(found_faces(validation, weights, 0.0).mean())
        history.append({"round": number, "non_faces": len(negatives), "validation_found": found})
        print(f"round {number}: {len(negatives)} non-faces, {found:.1%} of validation faces "
              "beyond the plane", flush=True)  # fmt: skip
    return weights, history


def found_faces(
    faces: npt.NDArray[np.uint8], weights: Features, threshold: float
) -> npt.NDArray[np.bool_]:
    """(NUM_MEASURED,) which of the faces, jittered and always the same, lie beyond the threshold."""
    windows = jittered(faces, np.random.default_rng(0), NUM_MEASURED)
    return np.asarray(distances(describe(windows), weights) > threshold)


def write_arrays(run: Path, weights: Features, threshold: float) -> None:
    """Writes weights and threshold, whole or not at all."""
    with whole(run / ARRAYS) as part:
        np.savez(part, weights=weights, threshold=np.float32(threshold))


def load_arrays(run: Path) -> tuple[Features, float]:
    """(901,) weights and the threshold of a finished run.

    Raises:
        UsageError: no such run, or it has no arrays yet.
    """
    read_settings(run, KIND)
    try:
        with np.load(run / ARRAYS) as arrays:
            weights, threshold = arrays["weights"], float(arrays["threshold"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{run}: no usable weights yet ({reason(error)})") from error
    return np.asarray(weights, np.float32), threshold


def fit(positives: Features, negatives: Features) -> Features:
    """(901,) weights and bias of a linear SVM."""
    from sklearn.svm import LinearSVC

    samples = np.concatenate([positives, negatives])
    labels = np.repeat([1, 0], [len(positives), len(negatives)])
    machine = LinearSVC(C=PENALTY, class_weight="balanced", max_iter=3000, random_state=0)
    machine.fit(samples, labels)
    return np.append(machine.coef_[0], machine.intercept_[0]).astype(np.float32)


def distances(features: Features, weights: Features) -> Features:
    """(n,) signed distances from the plane."""
    return features @ weights[:-1] + weights[-1]


def describe(windows: npt.NDArray[np.uint8]) -> Features:
    """(n, 900) HOG of (n, 36, 36) windows."""
    hog = make_descriptor()
    return np.stack([np.ravel(hog.compute(window)) for window in windows])


def jittered(
    faces: npt.NDArray[np.uint8], random: np.random.Generator, number: int
) -> npt.NDArray[np.uint8]:
    """(number, 36, 36) faces as a sliding window meets them: shifted, scaled, tilted, mirrored."""
    windows = []
    for index in random.choice(len(faces), number):
        zoom = WINDOW_PX / faces.shape[1] * random.uniform(0.92, 1.1)
        shift = random.uniform(-0.06, 0.06, 2) * WINDOW_PX
        windows.append(warp(faces[index], zoom, random.normal(0, 8), shift, random))
    return np.stack(windows)


def face_parts(
    faces: npt.NDArray[np.uint8], random: np.random.Generator, number: int = 4000
) -> npt.NDArray[np.uint8]:
    """(number, 36, 36) pieces of faces: too close, far beside, or upside down."""
    windows = []
    for index in random.choice(len(faces), number):
        zoom = WINDOW_PX / faces.shape[1] * random.uniform(1.7, 3)
        shift = random.uniform(-0.5, 0.5, 2) * WINDOW_PX
        angle = random.normal(0, 8) + random.choice([0, 0, 180])
        windows.append(warp(faces[index], zoom, angle, shift, random))
    return np.stack(windows)


def warp(
    face: npt.NDArray[np.uint8],
    zoom: float,
    angle_deg: float,
    shift: npt.NDArray[np.float64],
    random: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """One (36, 36) window of a face; what lies beyond the picture repeats its border."""
    middle = (face.shape[1] - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle_deg, zoom)
    matrix[:, 2] += (WINDOW_PX - 1) / 2 - middle + shift
    window = cv2.warpAffine(
        face, matrix, (WINDOW_PX, WINDOW_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(window[:, ::-1] if random.random() < 0.5 else window, np.uint8)


def random_windows(
    picture: npt.NDArray[np.uint8], random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """(n, 36, 36) windows of all sizes of one picture."""
    windows = []
    for _ in range(WINDOWS_A_PICTURE):
        side = int(np.exp(random.uniform(np.log(WINDOW_PX), np.log(min(picture.shape)))))
        top, left = (int(random.integers(0, size - side + 1)) for size in picture.shape)
        window = picture[top : top + side, left : left + side]
        windows.append(cv2.resize(window, (WINDOW_PX, WINDOW_PX), interpolation=cv2.INTER_AREA))
    return np.stack(windows)


def hardest_windows(
    picture: npt.NDArray[np.uint8], weights: Features, number: int
) -> npt.NDArray[np.uint8]:
    """(n, 36, 36): what the detector so far takes for faces in a picture without any."""
    boxes, scores = search(picture, weights, -0.5)
    cut = []
    for x, y, side, _ in boxes[np.argsort(-scores)][:number]:
        window = picture[max(y, 0) : y + side, max(x, 0) : x + side]
        cut.append(cv2.resize(window, (WINDOW_PX, WINDOW_PX), interpolation=cv2.INTER_AREA))
    return np.stack(cut) if cut else np.empty((0, WINDOW_PX, WINDOW_PX), np.uint8)


def search(
    picture: npt.NDArray[np.uint8], weights: Features, threshold: float
) -> tuple[npt.NDArray[np.int32], Features]:
    """Windows (n, 4) x y w h beyond the threshold, and their distances (n,)."""
    hog = make_descriptor()
    hog.setSVMDetector(weights)
    boxes, scores = hog.detectMultiScale(
        picture, threshold, (CELL_PX, CELL_PX), (0, 0), 1.1, 0, False
    )
    return np.asarray(boxes, np.int32).reshape(-1, 4), np.asarray(scores, np.float32).ravel()


def choose_threshold(faceless: list[npt.NDArray[np.uint8]], weights: Features) -> float:
    """The distance beyond which the training pictures give few enough false alarms."""
    best = [float(scores.max()) for p in faceless if len(scores := search(p, weights, -1)[1])]
    megapixels = sum(picture.size for picture in faceless) / 1e6
    allowed = int(FALSE_ALARMS_PER_MEGAPIXEL * megapixels)
    ordered = sorted(best, reverse=True)
    return ordered[allowed] if allowed < len(ordered) else 0.0
