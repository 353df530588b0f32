"""Copies that cannot be made, and copies that are made by half."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.__main__ import main
from device.camera.replay import read_all
from device.cli.album import Album

NUM_FRAMES = 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (160, 120))
    noise = np.random.default_rng(1)
    for _ in range(NUM_FRAMES):
        writer.write(noise.integers(0, 256, (120, 160, 3), np.uint8))
    writer.release()
    return path


def gif(path: Path, width: int, height: int, num_frames: int = 2) -> None:
    """A moving picture of any size, black."""
    head = b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    one = b"\x2c\0\0\0\0" + head[6:10] + b"\0\x02" + _black(width * height)
    control = b"\x21\xf9\x04\0\x0a\0\0\0"
    path.write_bytes(head + b"\x80\0\0\0\0\0\xff\xff\xff" + (control + one) * num_frames + b";")


def _black(num_pixels: int) -> bytes:
    """LZW of zeros that never lets the table grow: a clear code before each pair."""
    bits = "".join(f"{0:03b}"[::-1] + f"{4:03b}"[::-1] for _ in range(num_pixels))
    bits = f"{4:03b}"[::-1] + bits[:-3] + f"{5:03b}"[::-1]
    data = bytes(int(bits[n : n + 8][::-1], 2) for n in range(0, len(bits), 8))
    blocks = [data[n : n + 255] for n in range(0, len(data), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


@pytest.mark.parametrize(("size", "said"), [((1, 1), "1×1"), ((8192, 2), "8192×2")])
def test_a_video_that_no_mp4_can_hold_is_analyzed_and_the_others_are_copied(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, size: tuple[int, int], said: str
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    gif(folder / "0.gif", *size)
    cv2.imwrite(str(folder / "1.png"), np.full((48, 64), 90, np.uint8))
    assert main(["analyze", str(folder), "--save", str(out)], {}) == 1
    told, err = capsys.readouterr()
    sources = [Path(json.loads(line)["source"]).name for line in told.splitlines()]
    assert sources == ["0.gif", "0.gif", "1.png"]
    why = f"no copy: an MP4 video has 2 to 8191 px a side, not {said}"
    assert err == f"mien: {out / '0.mp4'}: {why}\n"
    assert [path.name for path in out.iterdir()] == ["1.jpg"]


def test_a_picture_that_no_jpeg_can_hold_is_analyzed_and_the_others_are_copied(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.full((2, 65_501), 90, np.uint8))
    cv2.imwrite(str(folder / "1.png"), np.full((48, 64), 90, np.uint8))
    assert main(["analyze", str(folder), "--save", str(out)], {}) == 1
    told, err = capsys.readouterr()
    assert len(told.splitlines()) == 2
    assert err == f"mien: {out / '0.jpg'}: no copy: a JPEG has at most 65500 px a side\n"
    assert [path.name for path in out.iterdir()] == ["1.jpg"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, BrokenPipeError])
def test_an_interrupted_video_is_not_taken_for_a_whole_one(
    tmp_path: Path, clip: Path, interruption: type[BaseException]
) -> None:
    out = tmp_path / "out"
    frame = next(read_all(clip, color=True))

    def copy(then: Callable[[], object]) -> None:
        with Album(out, [clip]).page(clip) as keep:
            keep(frame, [])
            assert list(out.iterdir()), "it is being written"
            then()

    def interrupt() -> None:
        raise interruption

    with pytest.raises(interruption):
        copy(interrupt)
    assert list(out.iterdir()) == []
    copy(lambda: None)  # the next run may begin anew
    assert [path.name for path in out.iterdir()] == ["clip.mp4"]


def test_the_good_frames_of_a_damaged_video_are_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clip: Path
) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    assert main(["analyze", str(cut), "--save", str(tmp_path / "out")], {}) == 1
    told, err = capsys.readouterr()
    assert "cut off" in err
    copied = list(read_all(tmp_path / "out" / "cut.mp4"))
    assert 0 < len(copied) == len(told.splitlines()) < NUM_FRAMES


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_bar_names_the_frame_of_a_video(
    monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["analyze", "--json", str(clip)], {}) == 0
    assert f"frame {NUM_FRAMES - 1}" in terminal.getvalue()
