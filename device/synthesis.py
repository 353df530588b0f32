"""The generator in the running daemon: the live face for the command and for the screen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from device.errors import MienError, ModelError
from device.vision.synthesizer import Synthesizer, surroundings
from device.vision.synthetic_mark import draw_mark, encode_marked
from device.vocabulary import Expression, Face, FaceState, Frame, Scene, SyntheticFace

log = logging.getLogger("mien")

MIN_FACE_PX = 32  # a smaller face has fewer pixels than the network makes
SHOWN_PX = 400  # side of the face for the screen: more than most cameras give a face


class LazySynthesizer:
    """Loads the generator when somebody first asks for it; most devices never do.

    For one thread: an interpreter serves one at a time.

    Args:
        find: where the generators lie, best first; another one is loaded when that changes. One
            that cannot be used gives way to the next.
        threads: of the interpreter.
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
                    self._loaded = (path, Synthesizer.load(path, self._threads))
                    return self._loaded[1]
                except ModelError as error:
                    self._broken[path] = error
                    if found != candidates[-1]:  # else whoever asked is told
                        log.error("%s; the shipped generator serves", error)
            problem = self._broken[path]
        raise problem

    def synthesize(self, frame: Frame, scene: Scene, expression: Expression) -> bytes:
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
        face = Face(state.box, score=1.0)
        made = self.get().synthesize(frame.image, face, expression, state.expression)
        return encode_marked(draw_mark(made), ".png")


class LiveFace:
    """The largest face with one expression, for the screen. Never raises and warns once.

    Called in the display's thread, so it has a generator of its own and the loop never waits.

    Args:
        synthesizer: used by nobody else.
        expression: what the face shall show.
    """

    def __init__(self, synthesizer: LazySynthesizer, expression: Expression) -> None:
        self._synthesizer, self._expression = synthesizer, expression
        self._has_failed = False

    def __call__(self, frame: Frame, scene: Scene) -> SyntheticFace | None:
        """A square picture of the face and its surroundings, marked; None without a face.

        After a failure always None: the text beside it is what the screen is for.
        """
        state = scene.largest
        if self._has_failed or state is None:
            return None
        try:
            return self._make(frame, state)
        except Exception as error:  # whatever it is, it is not worth the screen
            self._has_failed = True
            log.warning("display.synthesis: %s; the screen goes on without", error)
            return None

    def _make(self, frame: Frame, state: FaceState) -> SyntheticFace:
        face = Face(state.box, score=1.0)
        made = self._synthesizer.get().synthesize(
            frame.image, face, self._expression, state.expression
        )
        image = made[surroundings(made, face.box)]
        method = cv2.INTER_AREA if image.shape[0] > SHOWN_PX else cv2.INTER_CUBIC
        enlarged = cv2.resize(image, (SHOWN_PX, SHOWN_PX), interpolation=method)
        return SyntheticFace(draw_mark(np.asarray(enlarged, np.uint8)), self._expression)
