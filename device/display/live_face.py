"""The live face: what ``display.synthesis`` puts on the screen."""

from __future__ import annotations

import logging
from collections.abc import Callable

import cv2

from device.errors import MienError
from device.vocabulary import Expression, FaceState, Frame, Image, Scene, SyntheticFace

log = logging.getLogger("mien")


class LiveFace:
    """The largest face with one expression. Never raises and warns once.

    Called in the display's thread, so the loop never waits for it.

    Args:
        portray: makes the marked picture; used by nobody else.
        expression: what the face shall show.
    """

    def __init__(
        self, portray: Callable[[Frame, FaceState, Expression], Image], expression: Expression
    ) -> None:
        self._portray, self._expression = portray, expression
        self._has_failed = False

    def __call__(self, frame: Frame, scene: Scene) -> SyntheticFace | None:
        """The face; None without one, and always after a failure: the screen is there for text."""
        state = scene.largest
        if self._has_failed or state is None:
            return None
        try:
            image = self._portray(frame, state, self._expression)
        except (MienError, OSError, ValueError, cv2.error) as error:
            self._has_failed = True
            log.warning("display.synthesis: %s; the screen goes on without", error)
            return None
        return SyntheticFace(image, self._expression)
