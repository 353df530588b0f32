"""Makes the model card; every artefact's has the same first part."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.vision.model_card import LABELS, ModelCard
from device.vision.preprocess import CROP_PX
from training.runs import shorten

LICENCE = (
    "Apache-2.0 for the file; the pictures it was trained on are FER2013's and the votes FER+'s, "
    "under their owners' terms (research use)"
)


def make_card(
    name: str,
    task: str,
    content: bytes,
    command: str,
    facts: dict[str, Any],
    golden: list[dict[str, Any]] | None = None,
    temperature: float = 1.0,
    prior_shift: list[float] | None = None,
) -> ModelCard:
    """The card of a file that passed the gate.

    Args:
        name: of the pair, ``expression``.
        task: ``classify``, ``synthesize``, ``landmarks`` or ``detect``.
        content: the bytes of the file.
        command: of ``python -m export``, as it was called.
        facts: run, metrics, parity, data, licence, limits.
        golden: inputs and outputs for the device's self-test.
        temperature: fitted on validation.
        prior_shift: (7,), added after the temperature for ``classifier.prior = "balanced"``.
    """
    digest = hashlib.sha256(content).hexdigest()
    head = {"bytes": len(content), "exported_by": f"python -m export {shorten(command)}"}
    return ModelCard(
        name=name,
        version=f"{time.strftime('%Y.%m.%d')}-{digest[:8]}",
        task=task,
        sha256=digest,
        temperature=temperature,
        prior_shift=prior_shift or [0.0] * len(LABELS),
        golden=golden or [],
        facts={**head, "licence": LICENCE, **facts},
    )


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
