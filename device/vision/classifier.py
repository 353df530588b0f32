"""The expression model: crops in, probabilities out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.vision.model_card import ModelCard, read_model, require_task
from device.vision.preprocess import CROP_PX
from device.vision.tflite import Tensor, TFLiteModel
from device.vocabulary import EXPRESSIONS, Classification, Face, GreyImage, Probabilities

GOLDEN_TOLERANCE = 1.0  # logits: runtimes round int8 differently; tflite-runtime is off by 0.33
UNKNOWN = np.full(len(EXPRESSIONS), 1 / len(EXPRESSIONS), np.float32)


class TFLiteClassifier:
    """Names expressions."""

    def __init__(self, content: bytes, card: ModelCard, prior: str, threads: int) -> None:
        """Prepares the model and tests it; see ``load``."""
        self.card = card
        self._shift = np.zeros(len(EXPRESSIONS), np.float32)
        if prior == "balanced":
            self._shift = np.asarray(card.prior_shift, np.float32)
        crop, logits = Tensor((1, CROP_PX, CROP_PX, 1), np.uint8), Tensor((1, len(EXPRESSIONS)))
        self._model = TFLiteModel(content, [crop], [logits], threads)
        self._check()

    @classmethod
    def load(cls, path: Path, prior: str = "natural", threads: int = 1) -> TFLiteClassifier:
        """Reads a model and its card and refuses a pair that does not fit.

        Args:
            path: the ``.tflite``; the card of the same name lies beside it.
            prior: ``natural`` or ``balanced`` (rare expressions are named more readily).
            threads: of the interpreter.

        Raises:
            ModelError: unreadable, mismatched, of another input or output, self-test failed.
        """
        content, card = read_model(path)
        require_task(path, card, "classify")
        try:
            return cls(content, card, prior, threads)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error

    def classify(self, faces: Sequence[Face]) -> list[Classification]:
        """One classification a face, in order.

        Rejected faces are not shown to the model: their probabilities are all equal.

        Raises:
            ValueError: a face that is not rejected has no crop.
        """
        good = [i for i, face in enumerate(faces) if face.rejection_reason is None]
        answers = [UNKNOWN] * len(faces)
        if good:
            crops = np.stack([_crop_of(faces[i]) for i in good])
            for i, probabilities in zip(good, self.probabilities(crops), strict=True):
                answers[i] = probabilities
        return [Classification(face, p) for face, p in zip(faces, answers, strict=True)]

    def probabilities(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(N, 7) float32 of (N, 48, 48) uint8 crops, calibrated by the card's temperature."""
        logits = self.logits(crops) / self.card.temperature + self._shift
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: Probabilities = powers / powers.sum(axis=1, keepdims=True)
        return result

    def logits(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(N, 7) float32 raw outputs of (N, 48, 48) uint8 crops."""
        return self._model.run_each(crops[..., None])

    def _check(self) -> None:
        """The self-test: this runtime on this board must give what the exporter saw.

        Raises:
            ModelError: it does not.
        """
        crops, expected = self._read_golden()
        if not len(crops):
            return
        off = np.abs(self.logits(crops) - expected).max(axis=1)
        worst = int(np.argmax(off))  # NaN is the worst
        if not off[worst] <= GOLDEN_TOLERANCE:
            raise ModelError(
                f"self-test failed: golden vector {worst + 1} is off by {off[worst]:.3f} "
                f"(at most {GOLDEN_TOLERANCE}): the file or the runtime is damaged"
            )

    def _read_golden(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """(N, 48, 48) crops of the card and the (N, 7) logits that the exporter saw."""
        crops, expected = [], []
        for number, golden in enumerate(self.card.golden, start=1):
            try:
                pixels = np.frombuffer(base64.b64decode(golden["input"]), np.uint8)
                crops.append(pixels.reshape(CROP_PX, CROP_PX))
                output = np.asarray(golden["output"], np.float32)
                expected.append(output.reshape(len(EXPRESSIONS)))
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                raise ModelError(f"golden vector {number} of the card is unreadable") from error
        return np.array(crops), np.array(expected)


def _crop_of(face: Face) -> GreyImage:
    if face.crop is None:
        raise ValueError("a face without a crop: it has to go through the stage first")
    return face.crop
