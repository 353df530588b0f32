from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path

import pytest

from device.display.fbdev import (
    KD_GRAPHICS,
    KD_TEXT,
    FramebufferDevice,
    QuietConsole,
    parse_geometry,
)
from device.display.pixels import Channel, Geometry

XRGB = (Channel(16, 8), Channel(8, 8), Channel(0, 8))


def test_the_kernels_structures_are_read() -> None:
    # A Raspberry Pi's fb0 at 1280x800x32 as x86-64 and aarch64 lay the structures out.
    variable = struct.pack("<8I", 1280, 800, 1280, 1600, 0, 800, 32, 0)
    variable += struct.pack("<12I", 16, 8, 0, 8, 8, 0, 0, 8, 0, 0, 0, 0) + bytes(80)
    fixed = struct.pack("<16sQIIIIHHH2xI", b"vc4drmfb", 0, 8192000, 0, 0, 2, 1, 1, 0, 5120)
    assert struct.calcsize("P") == 8
    assert parse_geometry(variable, fixed) == Geometry(1280, 800, 5120, 32, *XRGB, start=800 * 5120)


def test_a_file_is_no_framebuffer(tmp_path: Path) -> None:
    path = tmp_path / "fb0"
    path.touch()
    device = FramebufferDevice(str(path))
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        device.geometry()
    device.close()


def test_a_console_in_text_mode_gets_its_cursor_hidden_and_back() -> None:
    controller, terminal = os.openpty()  # takes text but knows no graphics mode
    console = QuietConsole(os.ttyname(terminal))
    console.enter()
    assert os.read(controller, 100).startswith(b"\x1b[?25l")
    assert console.is_in_front()
    console.leave()
    assert os.read(controller, 100).startswith(b"\x1b[?25h")
    console.leave()
    os.close(controller)
    os.close(terminal)


REAL_CONSOLE = Path("/dev/tty1")
KDGETMODE = 0x4B3B


def console_mode() -> int:
    descriptor = os.open(REAL_CONSOLE, os.O_RDWR | os.O_NOCTTY)
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, KDGETMODE, bytes(4)), sys.byteorder)
    finally:
        os.close(descriptor)


def test_a_real_console_is_put_into_graphics_and_back() -> None:
    try:
        before = console_mode()
    except OSError as error:
        pytest.skip(f"no virtual console here: {error}")
    if before != KD_TEXT or os.geteuid() != 0:
        pytest.skip("the console is in use, or not ours to switch")
    console = QuietConsole(str(REAL_CONSOLE))
    console.enter()
    try:
        assert console_mode() == KD_GRAPHICS
    finally:
        console.leave()
    assert console_mode() == KD_TEXT
