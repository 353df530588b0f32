"""The workload still fits the device, run here without an emulator: its marks are harmless."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.board.summary import STAGES
from tests.board.workload import FRAMES, Sections, cycles, generator, models, scene, usb_camera


@pytest.fixture
def sections() -> Iterator[Sections]:
    """Marks are calls of umask: the process gets its own back."""
    umask = os.umask(0o22)
    yield Sections()
    os.umask(umask)


def test_a_steady_face_is_searched_and_classified_now_and_then(sections: Sections) -> None:
    seen = cycles(sections, "haar", (1,))["haar/1"]
    assert seen["faces"] == [1] * FRAMES
    assert seen["detections"] == [0, 6, 12, 18, 24]
    assert seen["classified"] == [0, 5, 10, 15, 20, 25]
    stages = {name.rpartition("/")[2] for name in sections.names if name.startswith("haar/1/")}
    assert stages == set(STAGES)
    assert {f"haar/1/{number}/detect" in sections.names for number in seen["detections"]} == {True}


def test_the_other_sections_run(sections: Sections) -> None:
    models(sections)
    generator(sections)
    usb_camera(sections)
    assert {"expression-tiny/8", "synthesize", "usb camera"} <= set(sections.names)


def test_sections_nest(sections: Sections, monkeypatch: pytest.MonkeyPatch) -> None:
    marks: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "umask", marks.append)
        with sections("outer"), sections("inner"):
            pass
    names = [sections.names[mark - 0x1000] for mark in marks]
    assert names == ["outer", "inner", "outer", "outside"]


@pytest.mark.parametrize("num_faces", [0, 1, 4, 8])
def test_scenes_are_frames_of_the_camera(num_faces: int) -> None:
    assert scene(num_faces).shape == (480, 640)
    assert (scene(num_faces, step=3) != scene(num_faces)).any()
