"""Makes the model card and puts the pair in its place, both files or neither."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.vision.model_card import LABELS, ModelCard
from device.vision.preprocess import CROP_PX
from training.reports.tflite import TfliteClassifier

LICENCE = (
    "Apache-2.0 for the file; the pictures it was trained on are FER2013's and the votes FER+'s, "
    "under their owners' terms (research use)"
)
LIMITS = [
    "Names what a face shows, never what a person feels.",
    "Trained on grey web pictures of 48×48 px, mostly frontal; disgust and fear are rare in them.",
    "Faces turned further than about 30° to the side, covered, or smaller than 24 px are not what "
    "it has seen.",
    "Not measured per age, sex or skin: FER2013 does not say them. Not for decisions about people.",
]


def golden_crops() -> npt.NDArray[np.uint8]:
    """(4, 48, 48) drawn patterns for the board's self-test; no person's picture."""
    y, x = np.mgrid[0:CROP_PX, 0:CROP_PX].astype(np.float64)
    gradient = (x + y) / (2 * CROP_PX - 2) * 255
    rings = 127.5 + 127.5 * np.sin(np.hypot(x - 23.5, y - 23.5))
    noise = np.random.default_rng(7).integers(0, 256, (CROP_PX, CROP_PX)).astype(np.float64)
    patterns = [gradient, rings, noise]
    return np.stack([*(np.asarray(p, np.uint8) for p in patterns), drawn_face()])


def drawn_face() -> npt.NDArray[np.uint8]:
    """(48, 48) a smiling face in five strokes."""
    face = np.full((CROP_PX, CROP_PX), 60, np.uint8)
    cv2.ellipse(face, (24, 24), (18, 22), 0, 0, 360, 190, -1)
    for eye in (16, 32):
        cv2.circle(face, (eye, 19), 3, 40, -1)
    cv2.ellipse(face, (24, 30), (9, 6), 0, 10, 170, 70, 2)
    return face


def make_card(
    name: str,
    content: bytes,
    temperature: float,
    prior_shift: list[float],
    facts: dict[str, Any],
) -> ModelCard:
    """The card of a converted classifier.

    Args:
        name: of the pair, ``expression``.
        content: the ``.tflite`` bytes.
        temperature: fitted on validation.
        prior_shift: (7,), added after the temperature for ``classifier.prior = "balanced"``.
        facts: run, metrics, parity.
    """
    digest = hashlib.sha256(content).hexdigest()
    crops = golden_crops()
    interpreter = TfliteClassifier(content)
    golden = []
    for crop in crops:
        logits = interpreter.logits(crop[None])[0]
        golden.append(
            {
                "input": base64.b64encode(crop.tobytes()).decode("ascii"),
                "output": [round(float(value), 4) for value in logits],
            }
        )
    return ModelCard(
        name=name,
        version=f"{time.strftime('%Y.%m.%d')}-{digest[:8]}",
        task="classify",
        sha256=digest,
        labels=list(LABELS),
        temperature=temperature,
        prior_shift=prior_shift,
        golden=golden,
        facts={"bytes": len(content), **facts, "licence": LICENCE, "limits": LIMITS},
    )


def write_pair(folder: Path, content: bytes, card: ModelCard) -> Path:
    """Writes ``NAME.tflite`` and ``NAME.json``; a reader never sees half a file.

    Returns:
        The path of the ``.tflite``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model, text = folder / f"{card.name}.tflite", folder / f"{card.name}.json"
    parts = [path.with_name(path.name + ".part") for path in (model, text)]
    parts[0].write_bytes(content)
    parts[1].write_text(card.to_json(), encoding="utf-8")
    for part, path in zip(parts, (model, text), strict=True):
        os.replace(part, path)
    return model
