from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from device.camera.video import Video
from device.errors import CameraError
from tests.device.camera.clips import CODECS, NUM_FRAMES, cut_off, promise, write_clip

NO_MARK = (".mpg",)  # a program stream does not say where it ends
INDEX_LAST = (".mp4", ".m4v", ".mov", ".3gp")  # nothing can be decoded without the end


def count(path: Path, read: list[int] | None = None) -> int:
    """The frames of a video; ``read`` gets their numbers, also where it ends with an error."""
    frames = [] if read is None else read
    with closing(Video(path, color=False)) as video:
        while video.read() is not None:
            frames.append(len(frames))
    return len(frames)


@pytest.mark.parametrize("suffix", CODECS)
def test_every_container_is_read_whatever_its_name(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}")
    assert count(path) == NUM_FRAMES
    assert count(path.rename(tmp_path / "clip")) == NUM_FRAMES


@pytest.mark.parametrize("suffix", [s for s in CODECS if s not in NO_MARK + INDEX_LAST])
@pytest.mark.parametrize("share", [0.5, 0.93])
def test_a_cut_off_video_says_so_after_its_frames(
    tmp_path: Path, suffix: str, share: float
) -> None:
    path = cut_off(write_clip(tmp_path / f"clip{suffix}"), share)
    os.truncate(path, path.stat().st_size | 1)  # not by chance at the end of a packet
    with pytest.raises(CameraError, match=r"cut\.\w+: ends after [1-9]\d* frames; .* is cut off"):
        count(path)


@pytest.mark.parametrize("suffix", INDEX_LAST)
def test_a_cut_off_video_without_its_index_says_what_is_missing(
    tmp_path: Path, suffix: str
) -> None:
    path = cut_off(write_clip(tmp_path / f"clip{suffix}"))
    with pytest.raises(CameraError, match=r"damaged \(\d+ of \d+ bytes are there\)"):
        Video(path, color=False)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])  # Matroska, AVI: OpenCV passes over them
def test_zeros_in_the_middle_cost_the_frames_that_were_there_and_are_said(
    tmp_path: Path, suffix: str
) -> None:
    path = write_clip(tmp_path / f"clip{suffix}")
    data = bytearray(path.read_bytes())
    start, length = len(data) * 2 // 5, len(data) // 5
    data[start : start + length] = bytes(length)
    path.write_bytes(data)
    frames: list[int] = []
    with pytest.raises(CameraError, match="damaged: ") as raised:
        count(path, frames)
    good = len(frames)
    assert NUM_FRAMES // 2 < good < NUM_FRAMES
    assert str(raised.value).endswith(
        f"damaged: {NUM_FRAMES - good} frames cannot be decoded, the other {good} are done"
    )


def test_sound_that_lasts_longer_is_no_damage(tmp_path: Path) -> None:
    assert count(promise(write_clip(tmp_path / "clip.mkv"), duration_s=100)) == NUM_FRAMES


def test_a_live_recording_that_never_knew_its_size_is_no_damage(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv")
    data = bytearray(path.read_bytes())
    place = data.index(b"\x18\x53\x80\x67") + 4
    data[place : place + 8] = b"\x01" + 7 * b"\xff"
    path.write_bytes(data)
    assert count(path) == NUM_FRAMES


def test_something_appended_is_no_damage(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    with path.open("ab") as file:
        file.write(b"TAGged by somebody" * 7)
    assert count(path) == NUM_FRAMES


@pytest.mark.parametrize("name", ["2026-11-27T12:30:05.mp4", "http:a.mp4", "a%03d.mp4", "-i.mp4"])
def test_a_name_is_never_a_protocol_or_a_pattern(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.move(write_clip(Path("clip.mp4")), name)
    assert count(Path(name)) == NUM_FRAMES


def test_a_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4").rename(os.fsdecode(bytes(tmp_path) + b"/gr\xfcn.mp4"))
    assert count(path) == NUM_FRAMES


def test_frames_carry_their_own_time(tmp_path: Path) -> None:
    video = Video(write_clip(tmp_path / "clip.mkv"), color=False)
    times = []
    while video.read() is not None:
        times.append(video.time_s)
    video.close()
    assert times == pytest.approx([number / 10 for number in range(NUM_FRAMES)])


def test_a_video_leaves_no_open_file(tmp_path: Path) -> None:
    path = cut_off(write_clip(tmp_path / "clip.mp4"))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(CameraError):
        Video(path, color=False)
    assert len(os.listdir("/proc/self/fd")) == len(before)
