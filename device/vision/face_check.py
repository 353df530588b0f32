"""The second stage of Haar and HOG: a small model of ours says which of their boxes are faces.

Both detectors compare bright and dark areas and take a sleeve or a helmet for a face now and then.
The model sees each box with a little of its surroundings, 48×48, and was trained on what the two
take for faces (``python -m training face-check``). docs/faces.md has what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.vision import MODELS
from device.vision.model_card import read_model
from device.vision.nms import without_nested
from device.vision.preprocess import CROP_PX, cut_square
from device.vision.tflite import Tensor, TFLiteModel
from device.vocabulary import Face, GreyImage

CHECK_MARGIN = 0.2  # more than the classifier's: hair, ears and a collar tell a face, too
# Beyond this logit the model is sure. Of the boxes that it keeps in the files that chose its
# threshold, 86 % of the faces lie beyond it, and 4 % of what is no face.
SURE_LOGIT = 3.0
SHIPPED_CHECK = MODELS / "face-check.tflite"


class FaceCheck:
    """Tells faces from what detectors take for faces."""

    def __init__(self, content: bytes) -> None:
        """Prepares the model; see ``load``."""
        crop = Tensor((1, CROP_PX, CROP_PX, 1), np.uint8)
        self._model = TFLiteModel(content, [crop], [Tensor((1, 1))])

    @classmethod
    def load(cls, path: Path = SHIPPED_CHECK) -> FaceCheck:
        """Reads the model and its card.

        Raises:
            ModelError: missing, unreadable, mismatched or not a model of faces and others.
        """
        content, card = read_model(path)
        if card.task != "check":
            raise ModelError(f"{path}: its card says {card.task!r}, not 'check'")
        return cls(content)

    def check(self) -> None:
        """The self-test: the model runs and gives a number.

        Raises:
            ModelError: it does not.
        """
        logits = self._model.run_each(np.zeros((1, CROP_PX, CROP_PX, 1), np.uint8))
        if not np.isfinite(logits).all():
            raise ModelError("self-test failed: an answer that is no number")

    def keep(self, image: GreyImage, faces: list[Face], least_logit: float = 0.0) -> list[Face]:
        """Those that are faces, in their order; score and ``sure`` become the model's.

        Args:
            image: (height, width) uint8.
            faces: boxes of a detector.
            least_logit: of what is kept.
        """
        if not faces:
            return []
        crops = np.stack([cut_square(image, f.box, CHECK_MARGIN, CROP_PX) for f in faces])
        logits = self._model.run_each(crops[..., None]).reshape(-1)
        scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
        return [
            replace(face, score=float(score), sure=bool(logit > SURE_LOGIT))
            for face, score, logit in zip(faces, scores, logits, strict=True)
            if logit > least_logit
        ]


class CheckedDetector:
    """A detector whose boxes pass the check, with ``least_logit`` or more of it."""

    def __init__(
        self,
        detect: Callable[[GreyImage], list[Face]],
        check: FaceCheck,
        max_faces: int,
        least_logit: float = 0.0,
    ) -> None:
        self._detect, self._check, self._max_faces = detect, check, max_faces
        self._least_logit = least_logit

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        faces = without_nested(self._check.keep(image, self._detect(image), self._least_logit))
        return sorted(faces, key=lambda face: -face.box.area)[: self._max_faces]
