"""The picture on HDMI: renders the newest state and writes what changed to the framebuffer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from device.display.fbdev import FramebufferDevice, QuietConsole
from device.display.pixels import Geometry, pack, require_supported
from device.display.render import Frills, render, wandering
from device.display.wording import Shown, headline, problem_line
from device.vocabulary import Frame, Scene, SyntheticFace

MakeFace = Callable[[Frame, Scene], SyntheticFace | None]
REFRESH_S = 10.0  # everything is written anew, over whatever else got onto the screen


@dataclass
class FramebufferPainter:
    """Paints on an open framebuffer.

    Attributes:
        device: the framebuffer; closed with the painter.
        console: silenced while we paint; untouched where we cannot.
        frills: what stands around the faces; clock and wandering are set at each painting.
        clock: monotonic seconds.
        clock_text: the time of day.
        make_face: the largest face with another expression, made at this painter's pace and
            only where somebody can see it; None: not wanted.
    """

    device: FramebufferDevice
    console: QuietConsole
    frills: Frills
    clock: Callable[[], float] = time.monotonic
    clock_text: Callable[[], str] = lambda: time.strftime("%H:%M")
    make_face: MakeFace | None = None
    _painted: Hashable = field(default=None, init=False)
    _rows: npt.NDArray[np.uint8] | None = field(default=None, init=False)
    _refreshed_s: float = field(default=0.0, init=False)
    _taken: bool = field(default=False, init=False)

    def close(self) -> None:
        """Gives the screen back to the console."""
        with contextlib.suppress(OSError):  # it went away together with the screen
            self.console.leave()
        self.device.close()

    def paint(self, shown: Shown) -> None:
        """Writes the rows that changed.

        Raises:
            OSError: the framebuffer went away.
            ValueError: it has a depth that is not supported.
        """
        geometry, now_s = self.device.geometry(), self.clock()
        require_supported(geometry)
        self._take()
        in_front = self.console.is_in_front()
        if not in_front or now_s - self._refreshed_s >= REFRESH_S:
            self._painted = self._rows = None
        if not in_front:
            return
        if self.make_face and shown.frame is not None and not shown.flash:
            shown = replace(shown, synthetic=self.make_face(shown.frame, shown.scene))
        frills = replace(self.frills, clock_text=self.clock_text(), at_s=now_s)
        state = (
            geometry,
            frills.clock_text,
            wandering(now_s, geometry.height),
            visible_state(shown, frills.show_camera),
        )
        if state == self._painted:
            return
        rows = pack(render(shown, geometry.width, geometry.height, frills), geometry)
        self._write_changed(rows, geometry, now_s)
        self._painted, self._rows = state, rows

    def _take(self) -> None:
        """Switches the screen on and silences the console, before the first picture."""
        if self._taken:
            return
        self._taken = True
        self.device.switch_on()
        with contextlib.suppress(OSError):  # no console, or not ours: paint nevertheless
            self.console.enter()

    def _write_changed(self, rows: npt.NDArray[np.uint8], geometry: Geometry, now_s: float) -> None:
        first, end = 0, len(rows)
        if self._rows is not None and self._rows.shape == rows.shape:
            changed = np.flatnonzero((rows != self._rows).any(axis=1))
            if not changed.size:
                return
            first, end = int(changed[0]), int(changed[-1]) + 1
        else:
            self._refreshed_s = now_s
        data = rows[first:end].tobytes()
        self.device.write(data, geometry.start + first * geometry.stride)


def visible_state(shown: Shown, show_camera: bool) -> Hashable:
    """What of a state can be seen: two that are equal look the same, and are painted once."""
    faces = tuple(
        (
            face.expression,
            round(face.probability * 100),
            face.rejection_reason,
            tuple(np.rint(face.probabilities * 50).astype(int).tolist()),
        )
        for face in shown.scene.faces
    )
    has_picture = show_camera or shown.synthetic is not None
    picture = shown.frame.captured_at_s if has_picture and shown.frame else None
    words = headline(shown), problem_line(shown.status)
    return faces, words, shown.flash, picture
