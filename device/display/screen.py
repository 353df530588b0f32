"""The display that the loop knows: newest state only, at its own pace, never fatal."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from device.display.wording import Shown
from device.files import in_words
from device.vocabulary import Frame, Scene, Status

log = logging.getLogger("mien.display")

RATE_HZ = 4.0  # enough to read, and little work beside the pipeline
FLASH_S = 4.0
FLASH_HZ = 1.5  # well below the three flashes a second that can harm
CLOSE_WAIT_S = 2.0


class Painter(Protocol):
    """Puts one state on one kind of screen; called by one thread; may raise OSError."""

    def paint(self, shown: Shown) -> None:
        """Draws it."""

    def close(self) -> None:
        """Leaves the screen as it was found."""


class Reopened:
    """A painter that is opened when there is something to paint, and anew after a failure.

    Args:
        open_painter: OSError where it cannot paint.
    """

    def __init__(self, open_painter: Callable[[], Painter]) -> None:
        self._open_painter = open_painter
        self._painter: Painter | None = None

    def paint(self, shown: Shown) -> None:
        """Draws it.

        Raises:
            OSError, ValueError: the painter's; the next call tries again.
        """
        try:
            self._painter = self._painter or self._open_painter()
            self._painter.paint(shown)
        except (OSError, ValueError):
            self.close()
            raise

    def close(self) -> None:
        """Gives the screen back; harmless when it is not open."""
        painter, self._painter = self._painter, None
        if painter:
            with contextlib.suppress(OSError):  # it went away
                painter.close()


class Screen:
    """Hands the newest state to a painter in a thread of its own.

    Args:
        painter: used by that thread alone.
        rate_hz: paintings a second at most.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        painter: Painter,
        rate_hz: float = RATE_HZ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._painter = painter
        self._interval_s = 1 / rate_hz
        self._clock = clock
        self._newest: tuple[Scene, Status, Frame | None] | None = None
        self._flash_from_s = float("-inf")
        self._problem: str | None = None
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._thread.start()

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        """Keeps the newest state and returns at once."""
        self._newest = (scene, status, frame)
        self._changed.set()

    def identify(self) -> None:
        """Blinks for a few seconds, so that people see which device this is."""
        self._flash_from_s = self._clock()
        self._changed.set()

    def close(self) -> None:
        """Ends the thread, which gives the screen back."""
        self._closing.set()
        self._changed.set()
        self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._changed.wait()
            if self._closing.is_set():  # this woke it, not a new state
                break
            self._changed.clear()
            self._paint_newest()
            self._closing.wait(self._interval_s)
        try:
            self._painter.close()
        except (OSError, ValueError) as error:
            log.warning("screen: %s", in_words(error))

    def _paint_newest(self) -> None:
        if self._newest is None:
            return
        try:
            self._painter.paint(Shown(*self._newest, flash=self._flash()))
        except Exception as error:  # a screen is never worth the daemon
            is_ours = not isinstance(error, OSError)
            problem = f"{type(error).__name__}: {error}" if is_ours else in_words(error)
            if problem != self._problem:
                log.warning("screen: %s", problem)
            self._problem = problem
        else:
            if self._problem:
                log.info("screen back")
            self._problem = None

    def _flash(self) -> bool:
        since_s = self._clock() - self._flash_from_s  # set by ``identify`` alone: none is lost
        if since_s >= FLASH_S:
            return False
        self._changed.set()  # keep blinking though nothing new is shown
        return int(since_s * FLASH_HZ * 2) % 2 == 0


class NoScreen:
    """Where there is nothing to show on, and in tests."""

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        """Shows nothing."""

    def identify(self) -> None:
        """Nothing to blink with."""

    def close(self) -> None:
        """Nothing to give back."""
