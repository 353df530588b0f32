"""A generator whose answers are known, as a bundle that a device can install."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

STEPS = Path(__file__).parent / "golden" / "steps.tflite"


def generator_bundle(folder: Path) -> Path:
    """The tests' generator under the name that the device looks for; returns the folder."""
    folder.mkdir(parents=True)
    shutil.copy(STEPS, folder / "generator.tflite")
    card = json.loads(STEPS.with_suffix(".json").read_text())
    (folder / "generator.json").write_text(json.dumps({**card, "name": "generator"}))
    return folder
