from __future__ import annotations

import io
import logging
import threading

import pytest

from device.display.choose import open_display
from device.display.screen import FLASH_HZ, FLASH_S, Screen
from device.display.wording import Shown
from device.settings import Settings
from device.settings.tree import Display as DisplaySettings
from device.vocabulary import CameraState, Scene, Status

TIMEOUT_S = 30.0  # only ever reached by a failing test


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread has said is read once it has ended, however busy the machine is."""
    monkeypatch.setattr("device.display.screen.CLOSE_WAIT_S", TIMEOUT_S)


class FakePainter:
    """Keeps what it was told to paint; ``errors`` are raised first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.painted: list[Shown] = []
        self.done = threading.Semaphore(0)
        self.closed = False

    def paint(self, shown: Shown) -> None:
        try:
            if self.errors:
                raise self.errors.pop(0)
            self.painted.append(shown)
        finally:
            self.done.release()

    def close(self) -> None:
        self.closed = True


def status(problem: str | None = None) -> Status:
    return Status(CameraState.ONLINE, problem)


def show(screen: Screen, painter: FakePainter, problem: str | None = None) -> None:
    screen.show(Scene((), 0, 0, 0.0), status(problem), None)
    assert painter.done.acquire(timeout=TIMEOUT_S)


def test_the_newest_state_is_painted_and_the_screen_given_back() -> None:
    painter = FakePainter()
    screen = Screen(painter, rate_hz=1000)
    show(screen, painter, "one")
    show(screen, painter, "two")
    screen.close()
    assert [s.status.problem for s in painter.painted] == ["one", "two"]
    assert painter.closed


def test_closing_paints_nothing_more() -> None:
    painter = FakePainter()
    screen = Screen(painter, rate_hz=1000)
    show(screen, painter)
    assert not painter.done.acquire(timeout=0.05)  # it waits for a new state
    screen.close()
    assert len(painter.painted) == 1


def test_a_slow_screen_does_not_hold_up_the_loop_and_skips_states() -> None:
    painter = FakePainter()
    screen = Screen(painter, rate_hz=0.001)  # paints once, then rests
    show(screen, painter, "first")
    for number in range(1000):
        screen.show(Scene((), 0, 0, 0.0), status(str(number)), None)
    screen.close()  # returns though the thread rests
    assert [s.status.problem for s in painter.painted] == ["first"]
    assert painter.closed


def test_an_unplugged_screen_is_told_once_and_used_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    painter = FakePainter(OSError(19, "No such device"), OSError(19, "No such device"))
    screen = Screen(painter, rate_hz=1000)
    for _ in range(3):
        show(screen, painter)
    screen.close()
    assert len(painter.painted) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "screen: No such device",
        "screen back",
    ]


def test_identify_blinks_slowly_and_ends_by_itself() -> None:
    now_s = [0.0]
    painter = FakePainter()
    screen = Screen(painter, rate_hz=1000, clock=lambda: now_s[0])
    show(screen, painter)
    screen.identify()
    assert painter.done.acquire(timeout=TIMEOUT_S)
    assert painter.painted[-1].flash
    now_s[0] = 0.5 / FLASH_HZ + 0.01  # the dark half
    while painter.painted[-1].flash:
        assert painter.done.acquire(timeout=TIMEOUT_S)
    now_s[0] = FLASH_S + 0.01
    show(screen, painter)
    screen.close()
    assert not painter.painted[-1].flash
    assert FLASH_HZ < 3  # flashes a second that can harm


def test_identify_before_anything_is_shown_is_harmless() -> None:
    painter = FakePainter()
    screen = Screen(painter)
    screen.identify()
    screen.close()
    assert painter.painted == []


def test_without_a_terminal_the_text_goes_out_as_lines() -> None:
    written = threading.Event()

    class Stream(io.StringIO):
        def flush(self) -> None:
            written.set()

    stream = Stream()
    screen = open_display(Settings(display=DisplaySettings(backend="terminal")), stream)
    screen.show(Scene((), 0, 0, 0.0), status(), None)
    assert written.wait(TIMEOUT_S)
    screen.close()
    assert stream.getvalue().endswith("no face\n")
