"""Finds the screen that works here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TextIO

from device.display.console import ConsolePainter
from device.display.fbdev import FramebufferDevice, QuietConsole
from device.display.framebuffer import FramebufferPainter, MakeFace
from device.display.render import Frills
from device.display.screen import NoScreen, Painter, Screen
from device.display.terminal import LinePainter, TerminalPainter
from device.display.wording import Shown, notice_text
from device.settings.tree import Display as DisplaySettings


def open_display(
    settings: DisplaySettings,
    name: str,
    stream: TextIO,
    color: bool = True,
    capturing: bool = False,
    make_face: MakeFace | None = None,
) -> Screen | NoScreen:
    """The screen that the settings name; never fails.

    Args:
        settings: the table ``[display]``.
        name: of the device, for people.
        stream: standard output: the screen for ``terminal``, and for ``auto`` when somebody
            sits there.
        color: False when NO_COLOR is set.
        capturing: faces are being collected, which the notice then says.
        make_face: makes what ``display.synthesis`` asks for; only the framebuffer shows it.
    """
    notice = notice_text(settings.notice, capturing)
    is_tty = stream.isatty()
    if settings.backend == "none":
        return NoScreen()
    if settings.backend in ("auto", "terminal") and is_tty:
        return Screen(TerminalPainter(stream, name, notice, color))
    if settings.backend == "terminal":
        return Screen(LinePainter(stream))
    framebuffer = FramebufferPainter(
        partial(FramebufferDevice, settings.framebuffer),
        QuietConsole(settings.console),
        Frills(name, notice=notice, show_camera=settings.show_camera),
        make_face=make_face,
    )
    console = ConsolePainter(
        settings.console, lambda terminal: TerminalPainter(terminal, name, notice, color)
    )
    if settings.backend == "framebuffer":
        return Screen(framebuffer)
    if settings.backend == "console":
        return Screen(console)
    return Screen(FirstThatPaints([framebuffer, console]))


class FirstThatPaints:
    """Tries painters in order at each painting, so a screen may be plugged in later."""

    def __init__(self, painters: Sequence[Painter]) -> None:
        self._painters = painters

    def paint(self, shown: Shown) -> None:
        """Paints on the first that works and gives the others back.

        Raises:
            OSError: none works.
        """
        answers = []
        for number, painter in enumerate(self._painters):
            try:
                painter.paint(shown)
            except (OSError, ValueError) as error:
                answers.append(str(error))
                continue
            for other in self._painters[number + 1 :]:
                other.close()
            return
        raise OSError("none to show text on: " + "; ".join(answers))

    def close(self) -> None:
        """Gives all of them back."""
        for painter in self._painters:
            painter.close()
