"""Which detector: ``auto``, ``haar``, ``hog``, ``both`` or ``blazeface`` behind one protocol."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from device.errors import DetectorError, ModelError
from device.settings.tree import Detector as DetectorSettings
from device.vision import MODELS
from device.vision.blazeface import BlazeFaceDetector
from device.vision.blazeface_models import LAYOUTS, is_sound
from device.vision.both import HaarAndHogDetector
from device.vision.face_check import SHIPPED_CHECK, CheckedDetector, FaceCheck
from device.vision.haar import HaarDetector
from device.vision.hog import HogDetector
from device.vocabulary import Face, GreyImage

log = logging.getLogger("mien")


class FaceDetector(Protocol):
    """Finds faces in a whole frame."""

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first, without track ids."""


MAX_BOXES = 48  # at least so many boxes of a detector are checked
# Where a check follows, HOG's windows may lie so far below its trained threshold, and the check's
# logit must be so high. Chosen in files that are not held out: more faces than without a check, no
# false alarm. (0.4 finds more faces still, and things in which nobody would see one.)
HOG_RELAX = 0.2
HOG_LEAST_LOGIT = 2.0

# By kind, from the least box and how many; each alone, and both as "both".
UNCHECKED: dict[str, Callable[[int, int], FaceDetector]] = {
    "haar": HaarDetector,
    "hog": HogDetector,
}


def build_detector(settings: DetectorSettings, models: Path = MODELS) -> FaceDetector:
    """The detector that the settings name.

    Args:
        settings: kind and limits.
        models: folder of the BlazeFace model.

    Raises:
        DetectorError: it cannot be built with what is installed.
    """
    limits = settings.min_face_px, settings.max_faces
    kind = choose_kind(settings.kind, models)
    if settings.kind == "auto" and kind == "haar" and lying_in(models):
        log.warning(
            "BlazeFace in %s is damaged: Haar looks for faces; `mien fetch` mends it", models
        )
    if settings.kind == "blazeface" and not is_fetched(models):
        raise DetectorError(
            f"detector.kind = 'blazeface': {models}: BlazeFace is not installed there, or damaged: "
            "run `mien fetch`, or set detector.kind to haar, hog, both or auto"
        )
    if kind == "blazeface":
        return BlazeFaceDetector(models, *limits)
    return build_checked(kind, *limits, check=load_check(models / SHIPPED_CHECK.name))


def load_check(path: Path = SHIPPED_CHECK) -> FaceCheck | None:
    """The second stage; None, with a warning, when it is missing or damaged."""
    try:
        return FaceCheck.load(path)
    except ModelError as error:
        log.warning("the boxes of Haar and HOG go unchecked, expect ghosts: %s", error)
        return None


def build_checked(
    kind: str, min_face_px: int, max_faces: int, check: FaceCheck | None
) -> FaceDetector:
    """``haar``, ``hog`` or ``both``; each checks its own boxes where there is a check."""
    if kind == "both":
        haar, hog = (build_checked(k, min_face_px, max_faces, check) for k in UNCHECKED)
        return HaarAndHogDetector(haar.detect, hog.detect, max_faces)
    if check is None:
        return UNCHECKED[kind](min_face_px, max_faces)
    most = max(MAX_BOXES, max_faces)
    if kind == "hog":
        hog = HogDetector(min_face_px, most, relax=HOG_RELAX)
        return CheckedDetector(hog.detect, check, max_faces, least_logit=HOG_LEAST_LOGIT)
    return CheckedDetector(HaarDetector(min_face_px, most).detect, check, max_faces)


def choose_kind(kind: str, models: Path = MODELS) -> str:
    """What ``auto`` means here: the best of docs/faces.md's table that is installed."""
    if kind != "auto":
        return kind
    return "blazeface" if is_fetched(models) else "haar"


def is_fetched(models: Path) -> bool:
    """True when BlazeFace's models are there and whole."""
    return all(is_sound(models / layout.file, layout.sha256) for layout in LAYOUTS)


def lying_in(models: Path) -> list[Path]:
    """BlazeFace's files that are there, whole or not."""
    return [path for layout in LAYOUTS if (path := models / layout.file).exists()]
