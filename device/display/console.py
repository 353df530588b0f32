"""Text on a Linux console, for screens without a framebuffer that we may use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TextIO

from device.display.screen import Painter
from device.display.wording import Shown

CLEAR_AND_NEVER_BLANK = "\x1b[2J\x1b[H\x1b[9;0]\x1b[14;0]"


class ConsolePainter:
    """Opens the console when there is something to paint, and anew after a failure.

    Args:
        path: such as ``/dev/tty1``.
        make_painter: of the terminal that was opened.
    """

    def __init__(self, path: str, make_painter: Callable[[TextIO], Painter]) -> None:
        self._path = path
        self._make_painter = make_painter
        self._stream: TextIO | None = None
        self._painter: Painter | None = None

    def paint(self, shown: Shown) -> None:
        """Draws the block of lines.

        Raises:
            OSError: no such console, not permitted, or it went away.
        """
        try:
            (self._painter or self._open()).paint(shown)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Leaves the last text there and closes the console; harmless when it is not open."""
        stream, painter = self._stream, self._painter
        self._stream = self._painter = None
        if stream is None or painter is None:
            return
        with contextlib.suppress(OSError):  # it went away
            painter.close()
        with contextlib.suppress(OSError):
            stream.close()

    def _open(self) -> Painter:
        self._stream = open(self._path, "w", encoding="utf-8", opener=_open_terminal)  # noqa: SIM115
        self._painter = self._make_painter(self._stream)
        self._stream.write(CLEAR_AND_NEVER_BLANK)
        return self._painter


def _open_terminal(path: str, flags: int) -> int:
    """Never as our controlling terminal: Ctrl-C on a keyboard there is not for the daemon.

    Write only: a console gives its group no more.
    """
    return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
