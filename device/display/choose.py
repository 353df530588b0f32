"""Finds the screen that works here."""

from __future__ import annotations

from typing import TextIO

from device.display.screen import NoScreen, Screen
from device.display.terminal import LinePainter, TerminalPainter
from device.settings.tree import Display as DisplaySettings


def open_display(
    settings: DisplaySettings, name: str, stream: TextIO, color: bool = True
) -> Screen | NoScreen:
    """The screen that the settings name; never fails.

    Args:
        settings: the table ``[display]``.
        name: of the device, for people.
        stream: standard output: the screen for ``terminal``, and for ``auto`` when somebody
            sits there.
        color: False when NO_COLOR is set.
    """
    if settings.backend == "terminal" or (settings.backend == "auto" and stream.isatty()):
        if stream.isatty():
            return Screen(TerminalPainter(stream, name, settings.notice, color))
        return Screen(LinePainter(stream))
    return NoScreen()
