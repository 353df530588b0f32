"""Five points of a face by a small network of ours: eyes, nose tip, mouth corners.

The network runs twice. Its first look is at the detector's box, which may be shifted, too
wide or tilted; its second at the face turned upright and centred by the first answer, so that
what it sees is much the same of every face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.vision.model_card import read_model
from device.vision.preprocess import CROP_PX, crop_square, cut_square
from device.vision.tflite import Tensor, TFLiteModel
from device.vocabulary import Face, GreyImage

NUM_OUTPUTS = 10  # x, y of five points as shares of the crop
LANDMARK_MARGIN = 0.2  # wider than the classifier's crop: a chin may lie outside the box
UPRIGHT_SIDE = 2.6  # of the second look, in units of `upright`: all points and a margin for errors
WIDE_MARGIN = 1.0  # both looks are cut from one picture of twice the box's side, ...
WIDE_PX = 96  # ... made so small once that a look is about its size: no aliasing, little work
SHIPPED = Path(__file__).parents[1] / "models" / "landmarks.tflite"
SHARP_SCALE = 0.7  # below this a picture is blurred before it is made smaller
MIN_UNIT_PX = 6.0  # in that picture, where a face has about 19: points in a heap do not zoom in

Points = npt.NDArray[np.float32]  # (5, 2), in the order of the vocabulary's landmarks
Vector = npt.NDArray[np.float64]  # (2,) px
Matrix = npt.NDArray[np.float64]  # (2, 3) of an affine map from pixels to pixels


class LandmarkNetwork:
    """Adds landmarks to faces."""

    def __init__(self, content: bytes) -> None:
        """Prepares the network; see ``load``."""
        crop = Tensor((1, CROP_PX, CROP_PX, 1), np.uint8)
        self._model = TFLiteModel(content, [crop], [Tensor((1, NUM_OUTPUTS))])

    @classmethod
    def load(cls, path: Path) -> LandmarkNetwork:
        """Reads the network and its card.

        Raises:
            ModelError: unreadable, mismatched or not a landmark network.
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

    def _look(self, pictures: list[GreyImage], views: list[Matrix]) -> list[Points]:
        """Points in pixels of the pictures, each seen through its view."""
        crops = [cut_view(p, view) for p, view in zip(pictures, views, strict=True)]
        shares = self._model.run_batch(np.stack(crops)[..., None]).reshape(-1, 5, 2)
        return [from_view(five, view) for five, view in zip(shares, views, strict=True)]


def box_view() -> Matrix:
    """From the wide picture to the crop of the box and ``LANDMARK_MARGIN``."""
    scale = CROP_PX * (1 + WIDE_MARGIN) / (WIDE_PX * (1 + LANDMARK_MARGIN))
    return centred((WIDE_PX - 1) / 2, (WIDE_PX - 1) / 2, scale, 0.0)


def upright(points: Points, side: float, min_unit_px: float = MIN_UNIT_PX) -> Matrix:
    """From a picture to a crop in which the face stands upright, centred and of one size.

    Args:
        points: (5, 2) px in the picture.
        side: of the crop, in units: the distance between the eyes, or between the middle of
            the eyes and that of the mouth where that is larger (a face turned aside).
        min_unit_px: what the unit is at least.
    """
    eyes, lips, across, down = axes(points)
    unit = max(float(np.hypot(*across)), float(np.hypot(*down)), min_unit_px)
    middle_x, middle_y = (eyes + lips) / 2
    return centred(middle_x, middle_y, CROP_PX / (side * unit), tilt(points))


def axes(points: Points) -> tuple[Vector, Vector, Vector, Vector]:
    """Of five points (5, 2) px: middle of the eyes, of the mouth, from eye to eye, and down."""
    right_eye, left_eye, _, *mouth = points.astype(np.float64)
    eyes, lips = (right_eye + left_eye) / 2, (mouth[0] + mouth[1]) / 2
    return eyes, lips, left_eye - right_eye, lips - eyes


def tilt(points: Points) -> float:
    """Radians, clockwise in the picture, by which a face leans.

    Of a face turned aside the eyes' line is short and says little: both lines count.
    """
    *_, across, down = axes(points)
    return float(np.arctan2(across[1] - down[0], across[0] + down[1]))


def centred(x: float, y: float, scale: float, angle: float) -> Matrix:
    """The map that brings (x, y) to the crop's middle and turns ``angle`` (radians) to level."""
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])
    matrix[:, 2] = (CROP_PX - 1) / 2 - matrix[:, :2] @ (x, y)
    return matrix


def cut_view(picture: GreyImage, view: Matrix) -> GreyImage:
    """The (48, 48) uint8 crop of a picture; beyond it its border is repeated."""
    crop = cv2.warpAffine(picture, view, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def soft(picture: GreyImage, scale: float) -> GreyImage:
    """A picture about to be scaled by less than 1, blurred so that nothing flickers."""
    if scale >= SHARP_SCALE:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 / scale), np.uint8)


def to_view(points: Points, view: Matrix) -> Points:
    """(5, 2) px of a picture as shares of the crop's side."""
    pixels = points @ view[:, :2].T + view[:, 2]
    return np.asarray((pixels + 0.5) / CROP_PX, np.float32)


def from_view(shares: Points, view: Matrix) -> Points:
    """(5, 2) shares of the crop's side as px of the picture."""
    pixels = shares * CROP_PX - 0.5 - view[:, 2]
    return np.asarray(pixels @ np.linalg.inv(view[:, :2]).T, np.float32)


def in_frame(points: Points, face: Face) -> Points:
    """(5, 2) px of the wide picture as px of the frame it was cut from."""
    xmin, ymin, xmax, ymax = crop_square(face.box, WIDE_MARGIN).as_pixels()
    scale = max(xmax - xmin, ymax - ymin, 1) / WIDE_PX
    return np.asarray((points + 0.5) * scale - 0.5 + (xmin, ymin), np.float32)
