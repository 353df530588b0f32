from __future__ import annotations

import io
import os
import select
from pathlib import Path

import pytest

from device.display import choose
from device.display.choose import FirstThatPaints, open_display
from device.display.pixels import RGB565, Geometry
from device.display.screen import NoScreen, Reopened, Screen
from device.display.terminal import ConsolePainter
from device.display.wording import Shown
from device.settings import Settings
from device.settings.tree import Display as DisplaySettings
from tests.device.display.screens import STATES

TIMEOUT_S = 10.0  # only ever reached by a failing test


def read_up_to(controller: int, end: bytes) -> bytes:
    """What comes out of a pseudo-terminal, which hands it over in pieces as it likes."""
    seen = b""
    while end not in seen:
        seen += os.read(controller, 4096)
    return seen


def test_text_goes_to_the_console_and_it_is_opened_anew_after_a_failure() -> None:
    controller, terminal = os.openpty()
    path = os.ttyname(terminal)
    painter = Reopened(lambda: ConsolePainter(path, name="Hall"))
    painter.paint(STATES["one"])
    assert read_up_to(controller, b"happy").startswith(b"\x1b[2J")
    painter.close()
    painter.close()
    read_up_to(controller, b"\x1b[?25h")  # the cursor is back
    painter.paint(STATES["no-face"])
    read_up_to(controller, b"no face")
    painter.close()
    os.close(controller)
    os.close(terminal)


def test_a_missing_console_is_an_error_each_time(tmp_path: Path) -> None:
    painter = Reopened(lambda: ConsolePainter(str(tmp_path / "tty1")))
    for _ in range(2):
        with pytest.raises(OSError, match="No such file"):
            painter.paint(STATES["one"])


class FakePainter:
    def __init__(self, works: bool) -> None:
        self.works = works
        self.num_painted = self.num_closed = 0

    def paint(self, shown: Shown) -> None:
        if not self.works:
            raise OSError("fake: not here")
        self.num_painted += 1

    def close(self) -> None:
        self.num_closed += 1


def test_auto_goes_down_the_ladder_and_up_again() -> None:
    framebuffer, console = FakePainter(works=False), FakePainter(works=True)
    ladder = FirstThatPaints([framebuffer, console])
    ladder.paint(STATES["one"])
    assert console.num_painted == 1
    framebuffer.works = True  # a screen was plugged in
    ladder.paint(STATES["one"])
    assert (framebuffer.num_painted, console.num_painted) == (1, 1)
    assert console.num_closed == 1


def test_auto_says_once_why_a_screen_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    framebuffer, console = FakePainter(works=False), FakePainter(works=True)
    ladder = FirstThatPaints([framebuffer, console])
    told = ["screen passed over: fake: not here; text goes to the console"]
    for _ in range(3):
        ladder.paint(STATES["one"])
    assert caplog.messages == told
    framebuffer.works = True
    ladder.paint(STATES["one"])
    framebuffer.works = False  # it was pulled out again
    ladder.paint(STATES["one"])
    assert caplog.messages == told * 2


class FakeFramebuffer:
    """An open framebuffer as some virtual machines and cheap panels have it."""

    def __init__(self, bits: int) -> None:
        self.size = Geometry(320, 240, 320 * 4, bits, *RGB565)

    def switch_on(self) -> None: ...

    def geometry(self) -> Geometry:
        return self.size

    def write(self, data: bytes, offset: int) -> None:
        """Its memory ends before the picture does."""
        raise OSError(27, "File too large")

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("bits", "reason", "clears"), [(24, "24 bits a pixel", 0), (16, "File too large", 2)]
)
def test_text_stays_on_the_console_where_the_framebuffer_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bits: int,
    reason: str,
    clears: int,
) -> None:
    monkeypatch.setattr(choose, "FramebufferDevice", lambda _: FakeFramebuffer(bits))
    controller, terminal = os.openpty()
    display = DisplaySettings(backend="auto", console=os.ttyname(terminal))
    screen = open_display(Settings(display=display), io.StringIO())
    state, seen = STATES["one"], b""
    for num_painted in range(1, 4):
        screen.show(state.scene, state.status, None)
        while seen.count(b"happy") < num_painted:  # drawn at each painting
            assert select.select([controller], [], [], TIMEOUT_S)[0], "nothing was drawn"
            seen += os.read(controller, 4096)
    screen.close()
    between = seen.split(b"happy")[1:-1]
    assert max(part.count(b"\x1b[2J") for part in between) <= clears
    (message,) = caplog.messages
    assert reason in message
    os.close(controller)
    os.close(terminal)


def test_auto_without_any_screen_says_what_each_answered() -> None:
    ladder = FirstThatPaints([FakePainter(works=False), FakePainter(works=False)])
    with pytest.raises(OSError, match="none to show text on: fake: not here; fake: not here"):
        ladder.paint(STATES["one"])


@pytest.mark.parametrize("backend", ["auto", "framebuffer", "console"])
def test_missing_screens_are_never_fatal(tmp_path: Path, backend: str) -> None:
    display = DisplaySettings(
        backend=backend, framebuffer=str(tmp_path / "fb0"), console=str(tmp_path / "tty1")
    )
    screen = open_display(Settings(display=display), io.StringIO())
    assert isinstance(screen, Screen)
    state = STATES["one"]
    screen.show(state.scene, state.status, None)
    screen.identify()
    screen.close()


def test_none_is_none() -> None:
    assert isinstance(
        open_display(Settings(display=DisplaySettings(backend="none")), io.StringIO()), NoScreen
    )
