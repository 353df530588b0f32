"""Five points of a face by a small model of ours: eyes, nose tip, mouth corners.

The model runs twice. Its first look is at the detector's box, which may be shifted, too
wide or tilted; its second at the face turned upright and centred by the first answer, so that
what it sees is much the same of every face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.vision import MODELS
from device.vision.model_card import read_model
from device.vision.preprocess import (
    CROP_PX,
    LANDMARK_MARGIN,
    NUM_OUTPUTS,
    UPRIGHT_SIDE,
    Matrix,
    Points,
    centred,
    crop_square,
    cut_square,
    cut_view,
    from_view,
    upright,
)
from device.vision.tflite import Tensor, TFLiteModel
from device.vocabulary import Face, GreyImage

WIDE_MARGIN = 1.0  # both looks are cut from one picture of twice the box's side, ...
WIDE_PX = 96  # ... made so small once that a look is about its size: no aliasing, little work
SHIPPED = MODELS / "landmarks.tflite"


class LandmarkModel:
    """Adds landmarks to faces."""

    def __init__(self, content: bytes) -> None:
        """Prepares the model; see ``load``."""
        crop = Tensor((1, CROP_PX, CROP_PX, 1), np.uint8)
        self._model = TFLiteModel(content, [crop], [Tensor((1, NUM_OUTPUTS))])

    @classmethod
    def load(cls, path: Path) -> LandmarkModel:
        """Reads the model and its card.

        Raises:
            ModelError: unreadable, mismatched or not a landmark model.
        """
        content, card = read_model(path)
        if card.task != "landmarks":
            raise ModelError(f"{path}: its card says {card.task!r}, not 'landmarks'")
        return cls(content)

    def place(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """The same faces with landmarks; ``image`` is (height, width) uint8."""
        if not faces:
            return []
        wide = [cut_square(image, face.box, WIDE_MARGIN, WIDE_PX) for face in faces]
        first = self._look(wide, [box_view()] * len(faces))
        second = self._look(wide, [upright(points, UPRIGHT_SIDE) for points in first])
        return [
            replace(face, landmarks=in_frame(points, face))
            for face, points in zip(faces, second, strict=True)
        ]

    def check(self) -> None:
        """The self-test: the model runs and gives numbers.

        Raises:
            ModelError: it does not.
        """
        points = self._model.run_each(np.zeros((1, CROP_PX, CROP_PX, 1), np.uint8))
        if not np.isfinite(points).all():
            raise ModelError("self-test failed: landmarks that are no numbers")

    def _look(self, pictures: list[GreyImage], views: list[Matrix]) -> list[Points]:
        """Points in pixels of the pictures, each seen through its view."""
        crops = [cut_view(p, view) for p, view in zip(pictures, views, strict=True)]
        shares = self._model.run_each(np.stack(crops)[..., None]).reshape(-1, 5, 2)
        return [from_view(five, view) for five, view in zip(shares, views, strict=True)]


def box_view() -> Matrix:
    """From the wide picture to the crop of the box and ``LANDMARK_MARGIN``."""
    scale = CROP_PX * (1 + WIDE_MARGIN) / (WIDE_PX * (1 + LANDMARK_MARGIN))
    return centred((WIDE_PX - 1) / 2, (WIDE_PX - 1) / 2, scale, 0.0)


def in_frame(points: Points, face: Face) -> Points:
    """(5, 2) px of the wide picture as px of the frame it was cut from."""
    xmin, ymin, xmax, ymax = crop_square(face.box, WIDE_MARGIN).as_pixels()
    scale = max(xmax - xmin, ymax - ymin, 1) / WIDE_PX
    return np.asarray((points + 0.5) * scale - 0.5 + (xmin, ymin), np.float32)
