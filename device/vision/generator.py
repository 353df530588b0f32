"""The generator in the running daemon: loaded when somebody first asks for a synthetic face."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from device.errors import MienError, ModelError
from device.vision import MODELS
from device.vision.model_card import ModelCard
from device.vision.model_store import GENERATOR, ModelStore, first_that_passes, try_model
from device.vision.synthesizer import Synthesizer, surroundings
from device.vision.synthetic_mark import draw_mark, encode_marked
from device.vision.trial import require_trial
from device.vocabulary import Expression, Face, FaceState, Frame, Image, Scene

log = logging.getLogger("mien")

MIN_FACE_PX = 32  # a smaller face has fewer pixels than the model makes
PORTRAIT_PX = 400  # side of the face for the screen: more than most cameras give a face


def find_generators(store: ModelStore) -> list[Path]:
    """Where the generators lie, best first: an installed one, the shipped one."""
    found = [store.find(GENERATOR), MODELS / f"{GENERATOR}.tflite"]
    return [path for path in found if path and path.is_file()]


def choose_generator(store: ModelStore) -> tuple[ModelCard | None, list[str]]:
    """Which generator serves when somebody asks for one.

    Returns:
        Its card, None without one, and why the one before it cannot be used.

    Raises:
        ModelError: none of those that are there can be used.
    """
    found = find_generators(store)
    card, problems = first_that_passes(found[:-1], "synthesize")
    if card is None and found:
        card = try_model(found[-1], "synthesize")
    return card, problems


class LazySynthesizer:
    """Loads the generator when somebody first asks for it; most devices never do.

    For one thread: an interpreter serves one at a time.

    Args:
        find: where the generators lie, best first; another one is loaded when that changes. One
            that cannot be used gives way to the next.
        threads: of the runtime.
    """

    def __init__(self, find: Callable[[], Sequence[Path]], threads: int = 1) -> None:
        self._find, self._threads = find, threads
        self._loaded: tuple[Path, Synthesizer] | None = None
        self._broken: dict[Path, ModelError] = {}

    def get(self) -> Synthesizer:
        """The generator in use.

        Raises:
            MienError: there is none.
            ModelError: it is damaged, and there is no other.
        """
        problem = MienError("no generator is installed on this device")
        candidates = self._find()
        for found in candidates:
            path = found.resolve()  # `current` is a link, replaced by `mien model install`
            if self._loaded and self._loaded[0] == path:
                return self._loaded[1]
            if path not in self._broken:
                try:
                    require_trial(path)
                    self._loaded = (path, Synthesizer.load(path, self._threads))
                    return self._loaded[1]
                except ModelError as error:
                    self._broken[path] = error
                    if found != candidates[-1]:  # else whoever asked is told
                        log.error("%s; the shipped generator serves", error)
            problem = self._broken[path]
        raise problem

    def picture(self, frame: Frame, scene: Scene, expression: Expression) -> bytes:
        """A marked PNG of the frame in which the largest face shows another expression.

        Raises:
            MienError: no face, or too small a face, or no generator, or a damaged one.
        """
        state = scene.largest
        if state is None:
            raise MienError("no face is seen now")
        width = min(state.box.width, state.box.height)
        if width < MIN_FACE_PX:
            raise MienError(
                f"the largest face is {width:.0f} px wide, at least {MIN_FACE_PX} px are needed"
            )
        return encode_marked(draw_mark(self._make(frame, state, expression)), ".png")

    def portrait(self, frame: Frame, state: FaceState, expression: Expression) -> Image:
        """A marked square picture of a face and its surroundings, as the screen shows it.

        Raises:
            MienError: no generator, or a damaged one.
        """
        made = self._make(frame, state, expression)
        image = made[surroundings(made, state.box)]
        method = cv2.INTER_AREA if image.shape[0] > PORTRAIT_PX else cv2.INTER_CUBIC
        enlarged = cv2.resize(image, (PORTRAIT_PX, PORTRAIT_PX), interpolation=method)
        return draw_mark(np.asarray(enlarged, np.uint8))

    def _make(self, frame: Frame, state: FaceState, expression: Expression) -> Image:
        face = Face(state.box, score=1.0)
        return self.get().synthesize(frame.image, face, expression, state.expression)
