"""The one preprocessing: from a frame and a face to the 48×48 crop that the network takes.

Training and export import this module, so what the network was calibrated on and what the
board feeds it cannot drift apart. Pixels stay uint8; rescaling is the network's first layer.
"""

from __future__ import annotations

import cv2
import numpy as np

from device.vocabulary import BoundingBox, Face, GreyImage, Image

CROP_PX = 48
# Share of the box side added in all (half at each side). Measured end to end by
# `python -m training evaluate-crop` (docs/faces.md); the detectors' boxes are alike enough.
MARGIN = 0.1


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
