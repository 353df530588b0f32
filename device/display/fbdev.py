"""The kernel's framebuffer and console, as ioctls (linux/fb.h, linux/kd.h)."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import struct
from pathlib import Path

from device.display.pixels import Channel, Geometry

log = logging.getLogger("mien.display")

FBIOGET_VSCREENINFO = 0x4600
FBIOPUT_VSCREENINFO = 0x4601
FBIOGET_FSCREENINFO = 0x4602
ACTIVATE_OFFSET, ACTIVATE_NOW_BY_FORCE = 84, 128  # in struct fb_var_screeninfo
VARIABLE = struct.Struct("@8I12I20I")  # struct fb_var_screeninfo, 160 bytes
FIXED = struct.Struct("@16sLIIIIHHHI")  # struct fb_fix_screeninfo as far as line_length
FIXED_BYTES = 128  # room for all of it on 32 and 64 bit

KDSETMODE = 0x4B3A
KD_TEXT, KD_GRAPHICS = 0, 1
HIDE_CURSOR_AND_CLEAR = b"\x1b[?25l\x1b[2J\x1b[H"
SHOW_CURSOR_AND_CLEAR = b"\x1b[?25h\x1b[2J\x1b[H"
ACTIVE_CONSOLE_PATH = Path("/sys/class/tty/tty0/active")


class FramebufferDevice:
    """An open ``/dev/fb0``.

    Written with ``pwrite``, not through a mapping: when the device goes away that is an error
    to handle and not a signal that ends the process.

    Raises:
        OSError: missing or not permitted.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def switch_on(self) -> None:
        """Sets the mode that it has once more; harmless where a driver does not allow that.

        A screen that comes back while its console is in graphics mode is left dark by the
        kernel's console, which would otherwise switch it on.
        """
        variable = bytearray(VARIABLE.size)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, FBIOGET_VSCREENINFO, variable)
            struct.pack_into("@I", variable, ACTIVATE_OFFSET, ACTIVATE_NOW_BY_FORCE)
            fcntl.ioctl(self._descriptor, FBIOPUT_VSCREENINFO, variable)

    def geometry(self) -> Geometry:
        """Size, rows and channels as they are now: another screen may have been plugged in.

        Raises:
            OSError: the device went away or is no framebuffer.
        """
        variable = fcntl.ioctl(self._descriptor, FBIOGET_VSCREENINFO, bytes(VARIABLE.size))
        fixed = fcntl.ioctl(self._descriptor, FBIOGET_FSCREENINFO, bytes(FIXED_BYTES))
        return parse_geometry(variable, fixed)

    def write(self, data: bytes, offset: int) -> None:
        """Puts bytes at an offset.

        Raises:
            OSError: the device went away.
        """
        left = memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written

    def close(self) -> None:
        """Closes it."""
        os.close(self._descriptor)


def parse_geometry(variable: bytes, fixed: bytes) -> Geometry:
    """From the kernel's two structures."""
    fields = VARIABLE.unpack_from(variable)
    width, height, _, _, x, y, bits, _ = fields[:8]
    red, green, blue = (Channel(fields[n], fields[n + 1]) for n in (8, 11, 14))
    stride = FIXED.unpack_from(fixed)[9]
    return Geometry(width, height, stride, bits, red, green, blue, y * stride + x * bits // 8)


def open_console(path: str, flags: int = os.O_WRONLY) -> int:
    """Opens a console, for ``os`` and as the opener of ``open``; write only, its group may no more.

    Never as our controlling terminal: Ctrl-C on a keyboard there is not for the daemon.

    Raises:
        OSError: no such console, or not permitted even to write to it.
    """
    return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


class QuietConsole:
    """Keeps the kernel's console from writing over the picture.

    Graphics mode needs the console as controlling terminal or CAP_SYS_TTY_CONFIG. Without
    them the cursor is hidden and the text cleared; a message of the kernel may then lie over
    the picture until it is painted anew.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def enter(self) -> None:
        """Clears the console and switches it to graphics if that is permitted.

        Raises:
            OSError: no such console, or not permitted even to write to it.
        """
        self._descriptor = open_console(self._path)
        os.write(self._descriptor, HIDE_CURSOR_AND_CLEAR)
        self._switch(self._descriptor, KD_GRAPHICS)

    def leave(self) -> None:
        """Gives the console back in text mode; harmless when it was not entered.

        Not in the mode it was found in: that may be graphics, left by a daemon that was killed.

        Raises:
            OSError: the console went away.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            self._switch(descriptor, KD_TEXT)
            os.write(descriptor, SHOW_CURSOR_AND_CLEAR)
        finally:
            os.close(descriptor)

    def is_in_front(self) -> bool:
        """False while somebody works on another console (Alt+F2)."""
        try:
            active = ACTIVE_CONSOLE_PATH.read_text().strip()
        except OSError:
            return True  # a kernel without virtual consoles
        return not self._path.startswith("/dev/tty") or active == self._path.removeprefix("/dev/")

    def _switch(self, descriptor: int, mode: int) -> None:
        try:
            fcntl.ioctl(descriptor, KDSETMODE, mode)
        except OSError as error:
            log.debug("%s keeps its mode: %s", self._path, error.strerror)
