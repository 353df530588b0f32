"""Finds the screen that works here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TextIO

from device.display.fbdev import FramebufferDevice, QuietConsole
from device.display.framebuffer import FramebufferPainter, MakeFace
from device.display.render import Frills
from device.display.screen import NoScreen, Painter, Reopened, Screen
from device.display.terminal import ConsolePainter, LinePainter, TerminalPainter
from device.display.wording import Shown, notice_text
from device.files import in_words
from device.settings import Settings

log = logging.getLogger("mien.display")


def open_display(
    settings: Settings, stream: TextIO, color: bool = True, make_face: MakeFace | None = None
) -> Screen | NoScreen:
    """The screen that the settings name; never fails.

    Args:
        settings: the tree.
        stream: standard output: the screen for ``terminal``, and for ``auto`` when somebody
            sits there.
        color: False when NO_COLOR is set.
        make_face: makes what ``display.synthesis`` asks for; only the framebuffer shows it.
    """
    display, name = settings.display, settings.device.name
    notice = notice_text(
        display.notice, settings.capture.enabled, settings.web.enabled and settings.web.show_camera
    )
    if display.backend == "none":
        return NoScreen()
    if display.backend in ("auto", "terminal") and stream.isatty():
        return Screen(TerminalPainter(stream, name, notice, color))
    if display.backend == "terminal":
        return Screen(LinePainter(stream))

    frills = Frills(name, notice=notice, show_camera=display.show_camera)
    painters = {
        "framebuffer": Reopened(
            lambda: FramebufferPainter(
                FramebufferDevice(display.framebuffer),
                QuietConsole(display.console),
                frills,
                make_face=make_face,
            )
        ),
        "console": Reopened(
            lambda: ConsolePainter(display.console, name=name, notice=notice, color=color)
        ),
    }
    chosen = painters.get(display.backend)
    return Screen(chosen or FirstThatPaints(list(painters.values())))


class FirstThatPaints:
    """Tries painters in order at each painting, so a screen may be plugged in later.

    Why one is passed over is told once, and again when the reason changes.
    """

    def __init__(self, painters: Sequence[Painter]) -> None:
        self._painters = painters
        self._told: list[str] = []

    def paint(self, shown: Shown) -> None:
        """Paints on the first that works and gives the others back.

        Raises:
            OSError: none works.
        """
        answers: list[str] = []
        for number, painter in enumerate(self._painters):
            try:
                painter.paint(shown)
            except (OSError, ValueError) as error:
                answers.append(in_words(error))
                continue
            for other in self._painters[number + 1 :]:
                other.close()
            self._tell(answers)
            return
        raise OSError("none to show text on: " + "; ".join(answers))

    def close(self) -> None:
        """Gives all of them back."""
        for painter in self._painters:
            painter.close()

    def _tell(self, answers: list[str]) -> None:
        for answer in answers:
            if answer not in self._told:
                log.warning("screen passed over: %s; text goes to the console", answer)
        self._told = answers
