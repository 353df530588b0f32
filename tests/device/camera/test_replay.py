from __future__ import annotations

import logging
import os
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera.replay import ReplaySource, read_all
from device.camera.source import Pace
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from tests.device.camera.clips import NUM_FRAMES, cut_off, write_clip


class SleepingClock:
    """Real time without waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def play(path: Path, until_s: float) -> list[tuple[float, int]]:
    """(second, grey level) of each picture of an endless replay."""
    clock = SleepingClock()
    settings = CameraSettings(source="replay", path=str(path), frame_rate_hz=10)
    source = ReplaySource(settings, pace=Pace(10, clock, clock.sleep))
    source.open()
    seen = []
    while clock.now_s < until_s:
        image = source.read()
        assert image is not None
        seen.append((round(clock.now_s, 3), int(image[0, 0])))
    return seen


NO_WAIT = Pace(1000, sleep=lambda _: None)


def write_picture(path: Path, level: int = 100, height: int = 24, width: int = 32) -> Path:
    assert cv2.imwrite(str(path), np.full((height, width, 3), level, np.uint8))
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.avi")


def replay(path: Path, loop: bool = False) -> ReplaySource:
    settings = CameraSettings(source="replay", path=str(path), loop=loop)
    source = ReplaySource(settings, pace=NO_WAIT)
    source.open()
    return source


def test_a_picture_is_one_frame_in_its_own_size(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", height=1000, width=1500)
    (frame,) = read_all(path, start_s=3.0)
    assert frame.image.shape == (1000, 1500)
    assert (frame.captured_at_s, frame.source) == (3.0, str(path))


def test_color_is_rgb(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((4, 4, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR
    (frame,) = read_all(path, color=True)
    assert frame.image[0, 0].tolist() == [255, 0, 0]


def test_a_video_is_all_its_frames_at_its_own_rate(video: Path) -> None:
    frames = list(read_all(video))
    assert len(frames) == NUM_FRAMES
    assert [f.captured_at_s for f in frames[:3]] == pytest.approx([0.0, 0.1, 0.2])
    assert frames[20].image.mean() == pytest.approx(159, abs=3)


@pytest.mark.parametrize("name", ["bad.png", "bad.mp4"])
def test_what_cannot_be_decoded_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"this is text, not a picture " * 20)
    with pytest.raises(CameraError, match=rf"bad\.{name[-3:]}: not a (picture|video)"):
        list(read_all(path))


def test_an_empty_file_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with pytest.raises(CameraError, match="the file is empty"):
        list(read_all(empty))
    with pytest.raises(CameraError, match="No such file"):
        list(read_all(tmp_path / "gone.jpg"))
    with pytest.raises(CameraError, match="No such file"):
        list(read_all(tmp_path / "gone.mp4"))


def test_replay_ends_or_starts_again(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 10)
    write_picture(tmp_path / "b.png", 20)
    once = replay(tmp_path)
    levels = []
    while (image := once.read()) is not None:
        levels.append(int(image[0, 0]))
    assert levels == [10, 20]
    endless = replay(tmp_path, loop=True)
    looped = [endless.read() for _ in range(5)]
    assert [int(image[0, 0]) for image in looped if image is not None] == [10, 20, 10, 20, 10]


def test_replay_names_a_bad_file_once_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_picture(tmp_path / "a.png", 10)
    (tmp_path / "bad.png").write_bytes(b"no")
    caplog.set_level(logging.WARNING)
    source = replay(tmp_path, loop=True)
    assert all(source.read() is not None for _ in range(5))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'bad.png'}: not a picture, or damaged"
    ]


def test_replay_of_nothing_readable_is_an_error(tmp_path: Path) -> None:
    for name in ("x.png", "y.png"):
        (tmp_path / name).write_bytes(b"no")
    with pytest.raises(CameraError, match="none of its 2 files can be read"):
        replay(tmp_path, loop=True).read()
    (tmp_path / "y.png").unlink()
    with pytest.raises(CameraError, match=r"x\.png: not a picture"):
        replay(tmp_path / "x.png", loop=True).read()


def test_a_cut_off_video_is_replayed_as_far_as_it_goes(
    video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = replay(cut_off(video), loop=True)
    assert all(source.read() is not None for _ in range(2 * NUM_FRAMES))
    assert len(caplog.records) == 1


def test_replay_names_what_of_a_folder_it_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_picture(tmp_path / "a.png", 10)
    (tmp_path / "notes.txt").write_text("no picture")
    source = replay(tmp_path, loop=True)
    assert all(source.read() is not None for _ in range(3))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'notes.txt'}: not a picture and not a video"
    ]


def test_a_name_that_is_no_utf8_can_be_shown() -> None:
    settings = CameraSettings(source="replay", path=os.fsdecode(b"gr\xfcn.mp4"))
    assert ReplaySource(settings).name == r"gr\xfcn.mp4"


def test_a_time_lapse_is_no_camera_that_went_silent(tmp_path: Path) -> None:
    seen = play(write_clip(tmp_path / "clip.mp4", num_frames=3, rate_hz=0.2), until_s=9.5)
    assert max(late - early for (early, _), (late, _) in pairwise(seen)) <= 0.5
    changes = [late for (_, one), (late, other) in pairwise(seen) if one != other]
    assert changes == [5.0]


def test_a_video_of_one_frame_keeps_the_pace_of_a_picture(tmp_path: Path) -> None:
    seen = play(write_clip(tmp_path / "clip.mp4", num_frames=1), until_s=0.95)
    assert [second for second, _ in seen] == pytest.approx([n / 10 for n in range(len(seen))])
    assert len(seen) == 11


def test_a_single_picture_is_read_from_the_disk_once(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", 10)
    source = replay(path, loop=True)
    assert source.read() is not None
    path.unlink()
    assert source.read() is not None
