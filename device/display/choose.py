"""Finds the screen that works here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from device.display.fbdev import FramebufferDevice, QuietConsole
from device.display.framebuffer import FramebufferPainter, MakeFace
from device.display.render import Frills
from device.display.screen import NoScreen, Painter, Reopened, Screen
from device.display.terminal import ConsolePainter, LinePainter, TerminalPainter
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
    if settings.backend == "none":
        return NoScreen()
    if settings.backend in ("auto", "terminal") and stream.isatty():
        return Screen(TerminalPainter(stream, name, notice, color))
    if settings.backend == "terminal":
        return Screen(LinePainter(stream))

    def open_framebuffer() -> Painter:
        device, console = FramebufferDevice(settings.framebuffer), QuietConsole(settings.console)
        frills = Frills(name, notice=notice, show_camera=settings.show_camera)
        return FramebufferPainter(device, console, frills, make_face=make_face)

    painters = {
        "framebuffer": Reopened(open_framebuffer),
        "console": Reopened(lambda: ConsolePainter(settings.console, name, notice, color)),
    }
    chosen = painters.get(settings.backend)
    return Screen(chosen or FirstThatPaints(list(painters.values())))


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
