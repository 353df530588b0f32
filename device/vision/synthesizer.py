"""The generator through TFLite: another expression on a face of a picture.

The model works at 48×48 on an upright face whose eyes and mouth lie where they always lie;
``paste_back`` puts what it makes into the picture. Whatever is shown or stored of it has to be
marked first (``device.vision.synthetic_mark``).
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.vision.landmarks import SHIPPED, LandmarkModel
from device.vision.model_card import ModelCard, read_model, require_task
from device.vision.paste_back import cut_face, face_view, paste_back
from device.vision.preprocess import CROP_PX, to_grey
from device.vision.tflite import Tensor, TFLiteModel
from device.vocabulary import EXPRESSIONS, BoundingBox, Expression, Face, GreyImage, Image

__all__ = ["OPEN_MOUTHS", "Synthesizer", "cut_face", "face_view", "paste_back", "surroundings"]

GOLDEN_TOLERANCE = 3.0  # grey levels on average: processors round differently
FLOW_TOLERANCE_PX = 0.25  # likewise
MAX_FLOW_PX = 6.0  # of the crop; generators are made to move at most 5
OPEN_MOUTHS = (Expression.SURPRISE, Expression.FEAR)  # a smile's teeth stay in the way of them

Floats = npt.NDArray[np.float32]


class Synthesizer:
    """Makes a face show another expression."""

    def __init__(
        self,
        content: bytes,
        card: ModelCard,
        threads: int = 1,
        landmarks: LandmarkModel | None = None,
    ) -> None:
        """Prepares the model and tests it; see ``load``.

        Without ``landmarks`` it can ``run``, and ``synthesize`` faces that have their own.
        """
        self.card = card
        self._landmarks = landmarks
        face = Tensor((1, CROP_PX, CROP_PX, 1), np.uint8)
        target = Tensor((1, len(EXPRESSIONS)), np.float32)
        flow = Tensor((1, CROP_PX, CROP_PX, 2), np.float32)
        self._model = TFLiteModel(content, [face, target], [face, flow], threads)
        self._check_golden()

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Synthesizer:
        """Reads a generator and its card and refuses a pair that does not fit.

        Args:
            path: the ``.tflite``; the card of the same name lies beside it.
            threads: of the interpreter.

        Raises:
            ModelError: unreadable, mismatched, no generator, self-test failed, or the landmark
                model that places its crops is not there.
        """
        content, card = read_model(path)
        require_task(path, card, "synthesize")
        landmarks = LandmarkModel.load(SHIPPED)
        try:
            return cls(content, card, threads, landmarks)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error

    def synthesize(
        self, image: Image, face: Face, expression: Expression, shown: Expression | None = None
    ) -> Image:
        """The picture with one face showing another expression; not marked yet.

        Args:
            image: (height, width) grey or (height, width, 3) RGB uint8; left as it is.
            face: which face; landmarks are found if it has none.
            expression: one of the seven.
            shown: what it shows now, if that is known. A smile is taken away first where it would
                stay in the way, which takes twice the time.

        Returns:
            A new picture of the same shape.
        """
        grey = to_grey(image)
        if face.landmarks is None and self._landmarks:
            [face] = self._landmarks.place(grey, [face])
        if face.landmarks is None:
            raise ModelError("faces without landmarks need the landmark model")
        if shown is Expression.HAPPY and expression in OPEN_MOUTHS:
            image = self.synthesize(image, face, Expression.NEUTRAL)
            grey = to_grey(image)
        view = face_view(face.landmarks)
        crop = cut_face(grey, view)
        made, flow = self.run(crop, expression)
        return paste_back(image, view, crop, made, flow)

    def run(self, crop: GreyImage, expression: Expression) -> tuple[GreyImage, Floats]:
        """What the model makes of a crop.

        Args:
            crop: (48, 48) uint8, as ``cut_face`` cuts it.
            expression: one of the seven.

        Returns:
            The face (48, 48) uint8 that shows it, and (48, 48, 2) float32 px: how far to the right
            and below each pixel's content lay before it was moved there.
        """
        target = np.zeros((1, len(EXPRESSIONS)), np.float32)
        target[0, EXPRESSIONS.index(expression)] = 1.0
        made, flow = self._model.run(crop.reshape(1, CROP_PX, CROP_PX, 1), target)
        return made[0, :, :, 0], flow[0]

    def _check_golden(self) -> None:
        """The self-test: this runtime on this board must give what the exporter saw."""
        for number, golden in enumerate(self.card.golden, start=1):
            try:
                crop, expected = (
                    np.frombuffer(base64.b64decode(golden[k]), np.uint8).reshape(CROP_PX, CROP_PX)
                    for k in ("input", "output")
                )
                made, flow = self.run(crop, Expression(golden["target"]))
                moved = flow
                if "flow" in golden:
                    values = np.frombuffer(base64.b64decode(golden["flow"]), np.float16)
                    moved = values.reshape(flow.shape).astype(np.float32)
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                raise ModelError(f"golden vector {number} of the card is unreadable") from error
            if not np.abs(flow).max() <= MAX_FLOW_PX:  # NaN neither
                raise ModelError(
                    f"self-test failed: golden vector {number} moves pixels by more than "
                    f"{MAX_FLOW_PX:g} px"
                )
            if not np.abs(flow - moved).mean() <= FLOW_TOLERANCE_PX:
                raise ModelError(f"self-test failed: golden vector {number} moves other pixels")
            off = float(np.abs(made.astype(np.float32) - expected).mean())
            if not off <= GOLDEN_TOLERANCE:
                raise ModelError(
                    f"self-test failed: golden vector {number} is off by {off:.1f} grey levels "
                    f"(at most {GOLDEN_TOLERANCE:g}): the file or the runtime is damaged"
                )


def surroundings(image: Image, box: BoundingBox) -> tuple[slice, slice]:
    """(rows, columns) of the square around a face, twice as large, moved into the picture."""
    height, width = image.shape[:2]
    side = min(max(1, round(2 * max(box.width, box.height))), height, width)
    x, y = box.center
    left = min(max(0, round(x - side / 2)), width - side)
    top = min(max(0, round(y - side / 2)), height - side)
    return slice(top, top + side), slice(left, left + side)
