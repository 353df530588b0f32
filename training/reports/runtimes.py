"""The same file under LiteRT and under tflite-runtime 2.14, which older images have.

tflite-runtime wants an older numpy than TensorFlow, so it lives in a Python of its own
(``make_python``), which runs this module
(``python -m training.reports.runtimes MODEL INPUTS.npz ANSWERS.npz``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.tflite import TFLiteModel
from training.reports.tflite import RUNTIMES, TfliteClassifier

ROOT = Path(__file__).parents[2]
PACKAGES = ("tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless<4.11")
PYTHON = "python3.11"  # the newest that tflite-runtime 2.14 is built for

Arrays = list[npt.NDArray[Any]]


def main(model: str, inputs: str, answers: str) -> None:
    """Answers and times of each input, in the Python that runs this."""
    content = Path(model).read_bytes()
    with np.load(inputs) as given:
        values = [given[f"arr_{number}"] for number in range(len(given.files))]
    if len(values) == 1 and values[0].ndim == 3:  # crops for a classifier
        classifier = TfliteClassifier(content, runtime="tflite-runtime")
        np.savez(answers, classifier.logits(values[0]), latency_ms=classifier.latency_ms())
        return
    outputs = TFLiteModel(content, package=RUNTIMES["tflite-runtime"]).run(*values)
    np.savez(answers, *outputs)


def make_python(folder: Path) -> Path:
    """A Python with tflite-runtime 2.14 in a new folder.

    Returns:
        Its interpreter.

    Raises:
        UsageError: no such Python here, or its packages cannot be had.
    """
    base = shutil.which(PYTHON)
    if base is None:
        raise UsageError(f"{PYTHON} is not here; tflite-runtime 2.14 is built for no newer one")
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
    for command in ([base, "-m", "venv", str(folder)], install):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UsageError(f"{folder}: no Python with tflite-runtime 2.14 ({last})")
    return python


def answers_of(python: Path, model: Path, inputs: Arrays) -> tuple[Arrays, float]:
    """What tflite-runtime answers.

    Args:
        python: an interpreter with tflite-runtime, numpy and OpenCV.
        model: the ``.tflite``.
        inputs: one array an input of the model, or (n, 48, 48) crops for a classifier.

    Returns:
        One array an output, and the time of a face in ms (0 for what is no classifier).

    Raises:
        UsageError: that interpreter cannot do it.
    """
    with TemporaryDirectory() as folder:
        given, answered = Path(folder) / "inputs.npz", Path(folder) / "answers.npz"
        np.savez(given, *inputs)
        command = [str(python), "-m", "training.reports.runtimes", str(model.resolve()), str(given),
                   str(answered)]  # fmt: skip
        run_there(command)
        with np.load(answered) as arrays:
            outputs = [arrays[name] for name in arrays.files if name.startswith("arr_")]
            return outputs, float(arrays["latency_ms"]) if "latency_ms" in arrays.files else 0.0


def require_runtime(python: Path) -> None:
    """Tries the imports, so that a report does not end after its first row.

    Raises:
        UsageError: no such Python, or it lacks tflite-runtime, numpy or OpenCV.
    """
    run_there([str(python), "-c", "import tflite_runtime.interpreter, numpy, cv2"])


def run_there(command: list[str]) -> None:
    """Runs a command of the other Python, which finds this module.

    Raises:
        UsageError: it cannot be run, or it failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    except OSError as error:
        raise UsageError(f"{command[0]}: cannot be run ({error.strerror})") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UsageError(f"{command[0]}: tflite-runtime did not answer ({last})")


def compare_runtimes(model: Path, pixels: npt.NDArray[np.uint8], python: Path) -> dict[str, Any]:
    """How far the two runtimes agree on a classifier, and how long each takes.

    Args:
        model: the ``.tflite``.
        pixels: (n, 48, 48) uint8.
        python: an interpreter with tflite-runtime, numpy and OpenCV.

    Raises:
        UsageError: that interpreter cannot do it.
    """
    ours = TfliteClassifier(model.read_bytes())
    [theirs], latency_ms = answers_of(python, model, [pixels])
    mine = ours.logits(pixels)
    return {
        "n": len(pixels),
        "agreement": round(float((mine.argmax(axis=1) == theirs.argmax(axis=1)).mean()), 4),
        "largest_logit_difference": round(float(np.abs(mine - theirs).max()), 4),
        "litert_ms": round(ours.latency_ms(), 3),
        "tflite_runtime_ms": round(latency_ms, 3),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
