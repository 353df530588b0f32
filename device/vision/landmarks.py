"""Five points of a face by a small network of ours: eyes, nose tip, mouth corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.vision.model_card import read_model
from device.vision.network import CropNetwork
from device.vision.preprocess import crop_face, crop_square
from device.vocabulary import Face, GreyImage

NUM_OUTPUTS = 10  # x, y of five points as shares of the crop
LANDMARK_MARGIN = 0.2  # wider than the classifier's crop: a chin may lie outside the box


class LandmarkNetwork:
    """Adds landmarks to faces."""

    def __init__(self, path: Path) -> None:
        """Reads the network and its card.

        Raises:
            ModelError: unreadable, mismatched or not a landmark network.
        """
        content, card = read_model(path)
        if card.task != "landmarks":
            raise ModelError(f"{path}: its card says {card.task!r}, not 'landmarks'")
        self._network = CropNetwork(content, NUM_OUTPUTS)

    def place(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """The same faces with landmarks; ``image`` is (height, width) uint8."""
        if not faces:
            return []
        crops = np.stack([crop_face(image, face, LANDMARK_MARGIN) for face in faces])
        placed = []
        for face, shares in zip(faces, self._network.run(crops), strict=True):
            square = crop_square(face.box, LANDMARK_MARGIN)
            corner = np.array([square.xmin, square.ymin], np.float32)
            points = corner + shares.reshape(5, 2) * np.float32(square.width)
            placed.append(replace(face, landmarks=points))
        return placed
