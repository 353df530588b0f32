"""Text for people in a terminal or on a Linux console; one line a change where it is neither."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from device.display.fbdev import open_console
from device.display.wording import NOTICE, Shown, headline, percent, problem_line
from device.vocabulary import Expression, FaceState

BAR_CELLS = 24
DEFAULT_SIZE = (80, 24)  # columns, rows

CLEAR_AND_NEVER_BLANK = "\x1b[2J\x1b[H\x1b[9;0]\x1b[14;0]"
CLEAR_BELOW = "\x1b[J"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
BOLD, DIM, WARN, REVERSE, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[7m", "\x1b[0m"


@dataclass
class TerminalPainter:
    """Redraws a block of lines in place.

    The cursor rests on an empty line above the block: what the log prints in between lands
    there, and the next block is drawn below it.

    Attributes:
        stream: a terminal.
        name: of the device.
        notice: that expressions are being read; empty: none.
        color: bold, dim and yellow; off for NO_COLOR.
        size: (columns, rows); asked of the terminal by default, so it may change.
        clock_text: the time of day.
    """

    stream: TextIO
    name: str = "Mien"
    notice: str = NOTICE
    color: bool = True
    size: Callable[[], tuple[int, int]] | None = None
    clock_text: Callable[[], str] = lambda: time.strftime("%H:%M:%S")
    _block: list[str] = field(default_factory=list, init=False)

    def paint(self, shown: Shown) -> None:
        """Draws the block over the last one; the clock sees to it every second."""
        columns, rows = self.size() if self.size else self._ask_size()
        block = self._lines(shown, columns, rows)
        if block == self._block:
            return
        self._block = block
        body = "\n".join(["", *block])
        up = f"\x1b[{len(block)}A" if block else ""
        self.stream.write(f"{HIDE_CURSOR}\r{CLEAR_BELOW}{body}\r{up}")
        self.stream.flush()

    def close(self) -> None:
        """Leaves the last block and puts the cursor below it."""
        self.stream.write("\n" * (len(self._block) + 1) + SHOW_CURSOR)
        self.stream.flush()

    def _lines(self, shown: Shown, columns: int, rows: int) -> list[str]:
        head = f"{self.name}  {shown.status.model}  {self.clock_text()}"
        lines = [self._style(head, REVERSE if shown.flash else DIM, columns)]
        words = headline(shown)
        if words:
            lines.append(self._style(words, BOLD, columns))
        else:
            room = max(1, rows - 5)
            faces = shown.scene.faces
            lines += [self._face_line(face, columns) for face in faces[:room]]
            if len(faces) > room:
                lines.append(self._style(f"and {len(faces) - room} more", DIM, columns))
        if problem := problem_line(shown.status):
            lines.append(self._style(f"! {problem}", WARN, columns))
        if self.notice:
            lines.append(self._style(self.notice, DIM, columns))
        return lines

    def _face_line(self, face: FaceState, columns: int) -> str:
        cells = round(face.probability * BAR_CELLS)
        bar = "█" * cells + "░" * (BAR_CELLS - cells)
        number = f"face {face.track_id}"
        text = f"{number:<9}{face.expression.value:<10}{bar} {percent(face):>5}"
        if face.rejection_reason:
            text += f"  {face.rejection_reason}"
        style = DIM if face.expression is Expression.UNCERTAIN else BOLD
        return self._style(text, style, columns)

    def _style(self, text: str, style: str, columns: int) -> str:
        text = text[: columns - 1]  # a full line would wrap and spoil the count of lines
        return f"{style}{text}{PLAIN}" if self.color else text

    def _ask_size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return DEFAULT_SIZE
        return (size.columns or DEFAULT_SIZE[0], size.lines or DEFAULT_SIZE[1])


class ConsolePainter(TerminalPainter):
    """The same on a Linux console, for screens without a framebuffer that we may use.

    Args:
        path: such as ``/dev/tty1``.
        others: those of a terminal but the stream.

    Raises:
        OSError: no such console, or not permitted.
    """

    def __init__(self, path: str, **others: Any) -> None:
        stream = open(path, "w", encoding="utf-8", opener=open_console)  # noqa: SIM115
        stream.write(CLEAR_AND_NEVER_BLANK)
        super().__init__(stream, **others)

    def paint(self, shown: Shown) -> None:
        """Draws the block each time: others clear the console, too, and not only once a second."""
        self._block = []
        super().paint(shown)

    def close(self) -> None:
        """Leaves the last text there and closes the console."""
        try:
            super().close()
        finally:
            self.stream.close()


@dataclass
class LinePainter:
    """One line a change, for pipes and journals.

    Attributes:
        stream: where the lines go.
        clock_text: the time of day.
    """

    stream: TextIO
    clock_text: Callable[[], str] = lambda: time.strftime("%H:%M:%S")
    _faces: dict[int, Expression] = field(default_factory=dict, init=False)
    _headline: str | None = field(default=None, init=False)
    _problem: str = field(default="", init=False)

    def paint(self, shown: Shown) -> None:
        """Writes what changed since the last time."""
        lines = []
        faces = {face.track_id: face for face in shown.scene.faces}
        for track_id, face in faces.items():
            if self._faces.get(track_id) is not face.expression:
                lines.append(f"face {track_id}: {face.expression.value} {percent(face)}")
        lines += [f"face {track_id}: gone" for track_id in self._faces if track_id not in faces]
        words = headline(shown)
        if words and words != self._headline:
            lines.append(words)
        problem = problem_line(shown.status)
        if problem != self._problem:
            lines.append(f"! {problem}" if problem else "all well again")
        self._faces = {track_id: face.expression for track_id, face in faces.items()}
        self._headline, self._problem = words, problem
        for line in lines:
            self.stream.write(f"{self.clock_text()} {line}\n")
        if lines:
            self.stream.flush()

    def close(self) -> None:
        """The lines stay."""
