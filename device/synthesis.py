"""The generator in the running daemon: what the command ``synthesize`` makes of the live face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from device.errors import MienError
from device.vision.synthesizer import Synthesizer
from device.vision.synthetic_mark import draw_mark, encode_marked
from device.vocabulary import Expression, Face, Frame, Scene


class LazySynthesizer:
    """Loads the generator when somebody first asks for it; most devices never do.

    For one thread: an interpreter serves one at a time.

    Args:
        find: where the generator in use lies; another one is loaded when it changes.
    """

    def __init__(self, find: Callable[[], Path]) -> None:
        self._find = find
        self._loaded: tuple[Path, Synthesizer] | None = None

    def get(self) -> Synthesizer:
        """The generator in use.

        Raises:
            MienError: there is none.
            ModelError: it is damaged.
        """
        path = self._find().resolve()  # `current` is a link, replaced by `mien model install`
        if not path.is_file():
            raise MienError("no generator is installed on this device")
        if self._loaded is None or self._loaded[0] != path:
            self._loaded = (path, Synthesizer.load(path))
        return self._loaded[1]

    def synthesize(self, frame: Frame, scene: Scene, expression: Expression) -> bytes:
        """A marked PNG of the frame in which the largest face shows another expression.

        Raises:
            MienError: no generator, or a damaged one.
        """
        face = Face(scene.faces[0].box, score=1.0)
        made = self.get().synthesize(frame.image, face, expression)
        return encode_marked(draw_mark(made), ".png")
