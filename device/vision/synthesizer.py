"""The generator through TFLite, and its result blended back into the picture it came from.

The network works at 48×48. What goes back into the picture is the *change* it made, enlarged
and faded out towards the border of the face: skin, light and everything that the expression
does not need keep the picture's own resolution. Whatever is shown or stored of it has to be
marked first (``device.vision.synthetic_mark``).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.vision.model_card import ModelCard, read_model
from device.vision.preprocess import CROP_PX, crop_face, crop_square, to_grey
from device.vision.runtime import load_interpreter
from device.vocabulary import EXPRESSIONS, BoundingBox, Expression, Face, GreyImage, Image

GOLDEN_TOLERANCE = 3.0  # grey levels on average: processors round differently
FADE_SHARE = 0.17  # of the side, over which the change fades out at the border
FULL_CHANGE = 50.0  # grey levels of change from which the old detail is gone
MAX_COVER = 0.85  # share of the old detail that a full change takes away


class Synthesizer:
    """Makes a face show another expression."""

    def __init__(self, content: bytes, card: ModelCard, threads: int = 1) -> None:
        """Prepares the network and tests it; see ``load``."""
        self.card = card
        self._interpreter = load_interpreter(content, threads)
        self._interpreter.allocate_tensors()
        self._face, self._target = _inputs(self._interpreter)
        self._result = self._interpreter.get_output_details()[0]
        if tuple(self._result["shape"]) != (1, CROP_PX, CROP_PX, 1) or (
            self._result["dtype"] != np.uint8
        ):
            raise ModelError("the network does not give one (48, 48) uint8 face")
        self._check_golden()

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Synthesizer:
        """Reads a generator and its card and refuses a pair that does not fit.

        Args:
            path: the ``.tflite``; the card of the same name lies beside it.
            threads: of the interpreter.

        Raises:
            ModelError: unreadable, mismatched, no generator, self-test failed.
        """
        content, card = read_model(path)
        if card.task != "synthesize":
            raise ModelError(f"{path}: its card says it can {card.task!r}, not 'synthesize'")
        try:
            return cls(content, card, threads)
        except (ModelError, RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: {error}") from error

    def synthesize(self, image: Image, face: Face, expression: Expression) -> Image:
        """The picture with one face showing another expression; not marked yet.

        Args:
            image: (height, width) grey or (height, width, 3) RGB uint8; left as it is.
            face: which face.
            expression: one of the seven.

        Returns:
            A new picture of the same shape.
        """
        crop = crop_face(to_grey(image), face)
        return blend(image, crop_square(face.box), crop, self.translate(crop, expression))

    def translate(self, crop: GreyImage, expression: Expression) -> GreyImage:
        """A (48, 48) uint8 crop as (48, 48) uint8 that shows the expression."""
        target = np.zeros((1, len(EXPRESSIONS)), np.float32)
        target[0, EXPRESSIONS.index(expression)] = 1.0
        self._interpreter.set_tensor(self._face, crop.reshape(1, CROP_PX, CROP_PX, 1))
        self._interpreter.set_tensor(self._target, target)
        self._interpreter.invoke()
        result: GreyImage = self._interpreter.get_tensor(self._result["index"])[0, :, :, 0].copy()
        return result

    def _check_golden(self) -> None:
        """The self-test: this runtime on this board must give what the exporter saw."""
        for number, golden in enumerate(self.card.golden, start=1):
            try:
                crop, expected = (
                    np.frombuffer(base64.b64decode(golden[k]), np.uint8).reshape(CROP_PX, CROP_PX)
                    for k in ("input", "output")
                )
                made = self.translate(crop, Expression(golden["target"]))
            except (KeyError, ValueError, TypeError) as error:
                raise ModelError(f"golden vector {number} of the card is unreadable") from error
            off = float(np.abs(made.astype(np.float32) - expected).mean())
            if not off <= GOLDEN_TOLERANCE:
                raise ModelError(
                    f"self-test failed: golden vector {number} is off by {off:.1f} grey levels "
                    f"(at most {GOLDEN_TOLERANCE:g}): the file or the runtime is damaged"
                )


def blend(image: Image, square: BoundingBox, crop: GreyImage, made: GreyImage) -> Image:
    """Carries the change from ``crop`` to ``made`` over to the picture.

    Where much changes, the old detail (the line of a mouth that is now open) is taken away in
    proportion; elsewhere it stays.

    Args:
        image: (height, width) or (height, width, 3) uint8.
        square: where ``crop`` was cut; may reach beyond the picture.
        crop: (48, 48) uint8, as the network saw it.
        made: (48, 48) uint8, as it made it.
    """
    xmin, ymin, xmax, ymax = square.as_pixels()
    side = max(xmax - xmin, ymax - ymin, 1)
    height, width = image.shape[:2]
    top, left = max(ymin, 0), max(xmin, 0)
    bottom, right = min(ymin + side, height), min(xmin + side, width)
    if top >= bottom or left >= right:
        return image.copy()
    inside = (slice(top - ymin, bottom - ymin), slice(left - xmin, right - xmin))
    change = (made.astype(np.float32) - crop) * fade_window()
    region = image[top:bottom, left:right]
    detail = to_grey(region).astype(np.float32) - _enlarge(crop.astype(np.float32), side)[inside]
    cover = MAX_COVER * np.clip(cv2.GaussianBlur(np.abs(change), (0, 0), 1.0) / FULL_CHANGE, 0, 1)
    delta = _enlarge(change, side)[inside] - _enlarge(cover, side)[inside] * detail
    if image.ndim == 3:
        delta = delta[:, :, None]  # the same in every channel: the colour of the skin stays
    result = image.copy()
    result[top:bottom, left:right] = np.clip(np.rint(region + delta), 0, 255).astype(np.uint8)
    return result


def surroundings(image: Image, box: BoundingBox) -> tuple[slice, slice]:
    """(rows, columns) of the square around a face, twice as large, moved into the picture."""
    height, width = image.shape[:2]
    side = min(max(1, round(2 * max(box.width, box.height))), height, width)
    x, y = box.center
    left = min(max(0, round(x - side / 2)), width - side)
    top = min(max(0, round(y - side / 2)), height - side)
    return slice(top, top + side), slice(left, left + side)


def fade_window() -> npt.NDArray[np.float32]:
    """(48, 48) float32: 1 in the middle, falling to 0 at the border as a cosine does."""
    from_border = (np.arange(CROP_PX) + 0.5) / CROP_PX
    from_border = np.minimum(from_border, 1 - from_border)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.clip(from_border / FADE_SHARE, 0, 1))
    return np.outer(ramp, ramp).astype(np.float32)


def _enlarge(values: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    method = cv2.INTER_CUBIC if side > CROP_PX else cv2.INTER_AREA
    return np.asarray(cv2.resize(values, (side, side), interpolation=method), np.float32)


def _inputs(interpreter: Any) -> tuple[int, int]:
    """The tensor numbers of face and target, told apart by shape and type."""
    found: dict[tuple[tuple[int, ...], type], int] = {
        (tuple(int(n) for n in d["shape"]), d["dtype"]): int(d["index"])
        for d in interpreter.get_input_details()
    }
    try:
        face = found[(1, CROP_PX, CROP_PX, 1), np.uint8]
        target = found[(1, len(EXPRESSIONS)), np.float32]
    except KeyError as error:
        raise ModelError("the network does not take a uint8 face and a float32 target") from error
    return face, target
