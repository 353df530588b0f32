"""Draws what was found, for people to check: boxes, points, names. Never used on live frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from device.vocabulary import Classification, Expression, Image

CERTAIN = (80, 220, 100)  # RGB
UNCERTAIN = (240, 180, 60)
POINT = (255, 80, 80)
BACKDROP = (20, 20, 20)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(image: Image, classifications: Sequence[Classification]) -> Image:
    """A copy with each face's box, landmarks and name on it.

    Args:
        image: (height, width) grey or (height, width, 3) RGB uint8.
        classifications: of this picture.

    Returns:
        (height, width, 3) RGB uint8.
    """
    color = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    canvas = np.array(color, np.uint8)
    thickness = max(1, round(min(canvas.shape[:2]) / 300))
    for classification in classifications:
        face = classification.face
        xmin, ymin, xmax, ymax = face.box.as_pixels()
        uncertain = classification.expression is Expression.UNCERTAIN
        colour = UNCERTAIN if uncertain else CERTAIN
        cv2.rectangle(canvas, (xmin, ymin), (xmax, ymax), colour, thickness)
        if face.landmarks is not None:
            for x, y in face.landmarks:
                cv2.circle(canvas, (round(x), round(y)), 1 + thickness, POINT, cv2.FILLED)
        _write(canvas, _caption(classification), (xmin, ymin), colour, thickness)
    return canvas


def _caption(classification: Classification) -> str:
    face = classification.face
    number = "" if face.track_id is None else f"{face.track_id} "
    if face.rejection_reason is not None:
        return f"{number}{face.rejection_reason}"
    return f"{number}{classification.expression.value} {classification.probability:.0%}"


def _write(
    canvas: Image, text: str, corner: tuple[int, int], colour: tuple[int, ...], thickness: int
) -> None:
    """Text on a dark strip above ``corner``, moved into the picture where it would leave it."""
    size = 0.4 + 0.1 * thickness
    weight = max(1, thickness // 2)
    (width, height), baseline = cv2.getTextSize(text, FONT, size, weight)
    left = max(0, min(corner[0], canvas.shape[1] - width))
    bottom = max(corner[1] - baseline, height + baseline)
    strip = (left, bottom - height - baseline), (left + width, bottom + baseline)
    cv2.rectangle(canvas, *strip, BACKDROP, cv2.FILLED)
    cv2.putText(canvas, text, (left, bottom), FONT, size, colour, weight, cv2.LINE_AA)
