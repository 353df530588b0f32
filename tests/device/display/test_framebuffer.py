from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.display.fbdev import FramebufferDevice
from device.display.framebuffer import REFRESH_S, FramebufferPainter, MakeFace, visible_state
from device.display.pixels import Channel, Geometry, pack
from device.display.render import Frills, render
from device.display.screen import Reopened, Screen
from device.pipeline import run
from device.vocabulary import Expression, Frame, Scene, SyntheticFace
from tests.device.display.screens import STATES, THREE, camera_view, face, shown
from tests.fakes import fake_parts, grey_frame, nobody_asks

XRGB = (Channel(16, 8), Channel(8, 8), Channel(0, 8))
RGB565 = (Channel(11, 5), Channel(5, 6), Channel(0, 5))
SCREEN = Geometry(320, 240, 1300, 32, *XRGB)
FRILLS = Frills("Hall", notice="notice")


class FakeScreen:
    """A framebuffer in a file, as ``FramebufferDevice`` would hand it out; may be unplugged."""

    def __init__(self, folder: Path, geometry: Geometry = SCREEN) -> None:
        self.path = folder / "fb0"
        self.size = geometry
        self.plugged = True
        self.writes: list[tuple[int, int]] = []  # offset, bytes
        self.num_open = 0
        self.num_switched_on = 0
        self.path.write_bytes(bytes(geometry.start + geometry.height * geometry.stride))

    def open(self) -> FakeScreen:
        if not self.plugged:
            raise FileNotFoundError(2, "No such file or directory", "/dev/fb0")
        self.num_open += 1
        return self

    def switch_on(self) -> None:
        self.num_switched_on += 1

    def geometry(self) -> Geometry:
        if not self.plugged:
            raise OSError(19, "No such device")
        return self.size

    def write(self, data: bytes, offset: int) -> None:
        self.writes.append((offset, len(data)))
        device = FramebufferDevice(str(self.path))  # the real writing, on a file
        device.write(data, offset)
        device.close()

    def close(self) -> None:
        self.num_open -= 1

    def picture(self) -> np.ndarray:
        data = np.frombuffer(self.path.read_bytes(), np.uint8)[self.size.start :]
        return data[: self.size.height * self.size.stride].reshape(-1, self.size.stride)


class FakeConsole:
    def __init__(self) -> None:
        self.entered = False
        self.num_entered = 0
        self.in_front = True

    def enter(self) -> None:
        self.entered = True
        self.num_entered += 1

    def leave(self) -> None:
        self.entered = False

    def is_in_front(self) -> bool:
        return self.in_front


class Rig:
    """A painter with everything it stands on."""

    def __init__(
        self,
        folder: Path,
        geometry: Geometry = SCREEN,
        look: Frills = FRILLS,
        make_face: MakeFace | None = None,
    ) -> None:
        self.screen = FakeScreen(folder, geometry)
        self.console = FakeConsole()
        self.now_s = 100.0
        self.look, self.make_face = look, make_face
        self.painter = Reopened(self.open)

    def open(self) -> FramebufferPainter:
        device, console = self.screen.open(), self.console
        return FramebufferPainter(
            device, console, self.look, lambda: self.now_s, lambda: "14:03", self.make_face
        )

    def expected(self, name: str) -> np.ndarray:
        size = self.screen.size
        frills = Frills("Hall", "14:03", "notice", self.now_s)
        return pack(render(STATES[name], size.width, size.height, frills), size)


@pytest.mark.parametrize(
    "geometry",
    [
        SCREEN,
        Geometry(320, 240, 640, 16, *RGB565),
        Geometry(321, 241, 645, 16, *RGB565),  # odd sides and rows
        Geometry(320, 240, 1300, 32, *XRGB, start=1300 * 240 + 8),  # panned to the second page
    ],
)
def test_the_rendered_picture_stands_in_the_framebuffer(tmp_path: Path, geometry: Geometry) -> None:
    rig = Rig(tmp_path, geometry)
    rig.painter.paint(STATES["three"])
    assert np.array_equal(rig.screen.picture(), rig.expected("three"))


def test_only_what_changed_is_written_and_the_whole_picture_is_right(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.painter.paint(shown(*THREE))
    rig.painter.paint(shown(*THREE))  # nothing to see
    assert len(rig.screen.writes) == 1
    changed = (THREE[0], replace(THREE[1], probability=0.2), THREE[2])
    rig.painter.paint(shown(*changed))
    assert len(rig.screen.writes) == 2
    assert rig.screen.writes[1][1] < rig.screen.writes[0][1] / 2
    expected = render(shown(*changed), 320, 240, Frills("Hall", "14:03", "notice", rig.now_s))
    assert np.array_equal(rig.screen.picture(), pack(expected, SCREEN))


def test_everything_is_written_anew_from_time_to_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.painter.paint(STATES["one"])
    rig.screen.path.write_bytes(bytes(240 * 1300))  # something else got onto the screen
    rig.now_s += REFRESH_S + 0.1
    rig.painter.paint(STATES["one"])
    assert np.array_equal(rig.screen.picture(), rig.expected("one"))


def test_the_console_is_silenced_and_given_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert not rig.console.entered
    rig.painter.paint(STATES["one"])
    assert rig.console.entered
    rig.painter.close()
    assert not rig.console.entered
    assert rig.screen.num_open == 0
    rig.painter.close()


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Geometry(320, 240, 960, 24, *XRGB), "24 bits a pixel are not supported"),
        (Geometry(128, 64, 16, 1, *XRGB), "1 bits a pixel are not supported"),
        (Geometry(320, 240, 640, 32, *XRGB), "rows of 640 bytes cannot hold 320 px"),
    ],
)
def test_a_framebuffer_of_another_depth_leaves_screen_and_console_alone(
    tmp_path: Path, geometry: Geometry, message: str
) -> None:
    rig = Rig(tmp_path, geometry)
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            rig.painter.paint(STATES["one"])
    assert (rig.console.num_entered, rig.screen.num_switched_on) == (0, 0)
    assert rig.screen.num_open == 0


def test_an_unplugged_screen_is_an_error_and_a_new_one_is_used_in_its_own_size(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    rig.painter.paint(STATES["one"])
    rig.screen.plugged = False
    for _ in range(2):
        with pytest.raises(OSError, match="No such"):
            rig.painter.paint(STATES["one"])
    assert (rig.screen.num_open, rig.console.entered) == (0, False)
    rig.screen.plugged, rig.screen.size = True, Geometry(200, 150, 400, 16, *RGB565)
    rig.painter.paint(STATES["one"])
    assert np.array_equal(rig.screen.picture(), rig.expected("one"))


def test_another_screen_without_a_gap_is_noticed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.painter.paint(STATES["one"])
    rig.screen.size = Geometry(200, 150, 400, 16, *RGB565)
    rig.painter.paint(STATES["one"])
    assert np.array_equal(rig.screen.picture(), rig.expected("one"))


def test_nothing_is_painted_while_somebody_works_on_another_console(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.painter.paint(STATES["one"])
    rig.console.in_front = False
    rig.painter.paint(STATES["three"])
    assert len(rig.screen.writes) == 1
    rig.console.in_front = True
    rig.painter.paint(STATES["three"])
    assert np.array_equal(rig.screen.picture(), rig.expected("three"))


def test_a_screen_without_a_console_is_painted_nevertheless(tmp_path: Path) -> None:
    class NoConsole(FakeConsole):
        def enter(self) -> None:
            raise PermissionError(13, "Permission denied")

    rig = Rig(tmp_path)
    rig.console = NoConsole()
    rig.painter.paint(STATES["one"])
    assert np.array_equal(rig.screen.picture(), rig.expected("one"))


def test_a_face_is_made_only_where_somebody_sees_it(tmp_path: Path) -> None:
    asked: list[tuple[Frame, Scene]] = []
    synthetic = STATES["synthetic"].synthetic

    def make_face(frame: Frame, scene: Scene) -> SyntheticFace | None:
        asked.append((frame, scene))
        return synthetic

    rig = Rig(tmp_path, make_face=make_face)
    state = replace(STATES["one"], frame=camera_view(False).frame)
    rig.painter.paint(replace(state, frame=None))  # paused, or the camera is lost
    rig.painter.paint(replace(state, flash=True))
    rig.console.in_front = False
    rig.painter.paint(state)
    assert asked == []
    rig.console.in_front = True
    rig.painter.paint(state)
    assert asked == [(state.frame, state.scene)]
    assert np.array_equal(rig.screen.picture(), rig.expected("synthetic"))
    count = len(rig.screen.writes)
    rig.painter.paint(state)
    assert len(rig.screen.writes) == count, "the same frame again"


def test_the_loop_does_not_wait_for_a_face_that_is_being_made(tmp_path: Path) -> None:
    making, go_on = threading.Event(), threading.Event()

    def make_face(frame: Frame, scene: Scene) -> SyntheticFace | None:
        making.set()
        go_on.wait(30.0)
        return None

    def frames() -> Iterator[Frame]:
        for number in range(100):
            yield grey_frame(number / 10)
            assert making.wait(30.0)

    screen = Screen(Rig(tmp_path, make_face=make_face).painter)
    parts = fake_parts(frames())
    parts.display = screen
    run(parts, nobody_asks, lambda: False)
    assert not go_on.is_set()
    assert parts.metrics.counts()["frames"] == 100
    go_on.set()
    screen.close()


def test_a_flicker_that_cannot_be_seen_is_not_painted() -> None:
    base = visible_state(shown(face(Expression.HAPPY, 0.931)), False)
    assert visible_state(shown(face(Expression.HAPPY, 0.933)), False) == base
    assert visible_state(shown(face(Expression.HAPPY, 0.95)), False) != base
    view = camera_view(False)
    assert view.frame is not None
    later = replace(view, frame=replace(view.frame, captured_at_s=1.0))
    assert visible_state(view, False) == visible_state(later, False)
    assert visible_state(view, True) != visible_state(later, True)
