"""The same file under LiteRT and under tflite-runtime 2.14, which older images have.

tflite-runtime wants an older numpy than TensorFlow, so it lives in a Python of its own, which
runs this module (``python -m training.reports.runtimes MODEL PIXELS.npy ANSWERS.npz``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.reports.tflite import TfliteClassifier

ROOT = Path(__file__).parents[2]


def main(model: str, pixels: str, answers: str) -> None:
    """Answers and times in the Python that runs this."""
    network = TfliteClassifier(Path(model).read_bytes(), runtime="tflite-runtime")
    latency_ms = network.latency_ms()
    np.savez(answers, logits=network.logits(np.load(pixels)), latency_ms=latency_ms)


def compare_runtimes(model: Path, pixels: npt.NDArray[np.uint8], python: Path) -> dict[str, Any]:
    """How far the two runtimes agree on a file, and how long each takes.

    Args:
        model: the ``.tflite``.
        pixels: (n, 48, 48) uint8.
        python: an interpreter with tflite-runtime, numpy and OpenCV.

    Raises:
        UsageError: that interpreter cannot do it.
    """
    ours = TfliteClassifier(model.read_bytes())
    with TemporaryDirectory() as folder:
        given, answered = Path(folder) / "pixels.npy", Path(folder) / "answers.npz"
        np.save(given, pixels)
        command = [str(python), "-m", "training.reports.runtimes", str(model.resolve()), str(given),
                   str(answered)]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UsageError(f"{python}: tflite-runtime did not answer ({last})")
        with np.load(answered) as arrays:
            theirs, latency_ms = arrays["logits"], float(arrays["latency_ms"])
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
