"""The one preprocessing: from a frame and a face to the 48×48 crops that the models take.

Training and export import this module. So what a model has learnt from and what the board feeds
it cannot drift apart. Pixels stay uint8; rescaling is each model's first layer.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from device.vocabulary import BoundingBox, Face, GreyImage, Image

CROP_PX = 48
# Share of the box side added in all (half at each side). Measured end to end by
# `python -m training evaluate-crop` (docs/faces.md); the detectors' boxes are alike enough.
MARGIN = 0.1
NUM_OUTPUTS = 10  # x, y of five points as shares of the landmark model's crop
LANDMARK_MARGIN = 0.2  # wider than the classifier's crop: a chin may lie outside the box
UPRIGHT_SIDE = 2.6  # of the second look, in units of `upright`: all points and a margin for errors
MIN_UNIT_PX = 6.0  # in a picture where a face has about 19: points in a heap do not zoom in
SHARP_SCALE = 0.7  # below this a picture is blurred before it is made smaller

Points = npt.NDArray[np.float32]  # (5, 2), in the order of the vocabulary's landmarks
Vector = npt.NDArray[np.float64]  # (2,) px
Matrix = npt.NDArray[np.float64]  # (2, 3) of an affine map from pixels to pixels


def to_grey(image: Image) -> GreyImage:
    """(height, width) uint8 luma of a grey or RGB image; a grey one is returned as it is."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def crop_face(image: GreyImage, face: Face, margin: float = MARGIN) -> GreyImage:
    """The face as a (48, 48) uint8 square; beyond the frame its border is repeated.

    Args:
        image: (height, width) uint8 grey frame.
        face: where to cut.
        margin: share of the box side added to the square's side.
    """
    return cut_square(image, face.box, margin, CROP_PX)


def cut_square(image: GreyImage, box: BoundingBox, margin: float, side_px: int) -> GreyImage:
    """The square around a box as (side_px, side_px) uint8; see ``crop_face``."""
    xmin, ymin, xmax, ymax = crop_square(box, margin).as_pixels()
    side = max(xmax - xmin, ymax - ymin, 1)
    xmax, ymax = xmin + side, ymin + side
    rows, columns = slice(max(ymin, 0), max(ymax, 0)), slice(max(xmin, 0), max(xmax, 0))
    inside = image[rows, columns]
    if inside.size == 0:
        return np.zeros((side_px, side_px), np.uint8)
    top, left = max(-ymin, 0), max(-xmin, 0)
    bottom, right = side - top - inside.shape[0], side - left - inside.shape[1]
    if top or left or bottom or right:
        bordered = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
        inside = np.asarray(bordered, np.uint8)
    method = cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (side_px, side_px), interpolation=method), np.uint8)


def crop_square(box: BoundingBox, margin: float = MARGIN) -> BoundingBox:
    """The square that ``crop_face`` cuts: centred on the box, ``margin`` larger."""
    half = max(box.width, box.height) * (1 + margin) / 2
    x, y = box.center
    return BoundingBox(x - half, y - half, x + half, y + half)


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
