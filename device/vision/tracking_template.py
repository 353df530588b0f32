"""The tracking template: a face's small picture, found again by normalised cross-correlation."""

from __future__ import annotations

import cv2
import numpy as np

from device.vocabulary import BoundingBox, GreyImage

TEMPLATE_PX = 32  # the face is compared at this size: 0.1 ms, steps of 3 % of the face
REACH = 0.375  # of the face's side: how far it may be from where it was expected
MIN_CORRELATION = 0.6


def cut_template(image: GreyImage, box: BoundingBox) -> GreyImage | None:
    """The face as a (32, 32) uint8 picture; None when less than half of it is in the frame."""
    return _cut(image, box, TEMPLATE_PX)


def find_template(
    image: GreyImage, template: GreyImage, expected: BoundingBox
) -> tuple[float, float] | None:
    """Centre (x, y) px of the template near ``expected``; None when it is not there.

    Args:
        image: (height, width) uint8 frame.
        template: (32, 32) uint8, cut at the face's last detection.
        expected: where the face should be, in its present size.
    """
    border = round(REACH * TEMPLATE_PX)
    side = expected.width * (1 + 2 * border / TEMPLATE_PX)
    x, y = expected.center
    area = BoundingBox(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    search = _cut(image, area, TEMPLATE_PX + 2 * border)
    if search is None:
        return None
    scores = cv2.matchTemplate(search, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(scores)
    if not best >= MIN_CORRELATION:  # also refuses the NaN of a flat picture
        return None
    step = expected.width / TEMPLATE_PX
    return x + (column - border) * step, y + (row - border) * step


def _cut(image: GreyImage, box: BoundingBox, size_px: int) -> GreyImage | None:
    """``box`` of the image, resampled to a square; the frame's border is repeated beyond it."""
    height, width = image.shape
    xmin, ymin, xmax, ymax = box.as_pixels()
    inside_x = min(xmax, width) - max(xmin, 0)
    inside_y = min(ymax, height) - max(ymin, 0)
    if min(inside_x, inside_y) < 4 or inside_x * inside_y < box.area / 2:
        return None
    inside = image[max(ymin, 0) : min(ymax, height), max(xmin, 0) : min(xmax, width)]
    margins = max(-ymin, 0), max(ymax - height, 0), max(-xmin, 0), max(xmax - width, 0)
    if any(margins):
        bordered = cv2.copyMakeBorder(inside, *margins, cv2.BORDER_REPLICATE)
        inside = np.asarray(bordered, dtype=np.uint8)
    small = cv2.resize(inside, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)
