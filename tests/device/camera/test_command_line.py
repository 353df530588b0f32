"""The real command line in a process of its own: a crash in native code ends only that one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from device.camera import demo
from tests.device.camera.clips import write_clip, write_picture

ROOT = Path(demo.__file__).parents[2]


def analyze(*args: str | bytes, folder: Path) -> tuple[int, dict[str, int], str]:
    """Exit status, number of lines by the source's name, stderr."""
    command = [sys.executable, "-m", "device", "analyze", *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
    sources = [json.loads(line)["source"] for line in done.stdout.splitlines()]
    names, counts = np.unique([Path(source).name for source in sources], return_counts=True)
    lines = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return done.returncode, lines, done.stderr.decode()


def test_a_name_that_is_no_utf8_does_not_keep_others_from_their_turn(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_clip(tmp_path / "clip.mp4", 3).rename(os.fsdecode(bytes(tmp_path) + b"/gr\xfcn.mp4"))
    write_clip(tmp_path / "2026-11-27T12:30:05.mp4", 2)
    write_picture(tmp_path / "z.png")
    status, lines, _ = analyze(".", folder=tmp_path)
    assert lines == {"a.png": 1, r"gr\xfcn.mp4": 3, "2026-11-27T12:30:05.mp4": 2, "z.png": 1}
    assert status == 0
    status, lines, _ = analyze("2026-11-27T12:30:05.mp4", b"gr\xfcn.mp4", folder=tmp_path)
    assert (status, len(lines)) == (0, 2)


def test_what_is_left_out_is_named_and_what_is_unreadable_fails(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    status, lines, complaints = analyze(".", folder=tmp_path)
    assert (status, lines) == (0, {"a.png": 1})
    assert "mien: notes.txt: not a picture and not a video\n" in complaints
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1miaf")
    status, lines, complaints = analyze(".", folder=tmp_path)
    assert (status, lines) == (1, {"a.png": 1})
    assert "mien: photo.heic: OpenCV does not read HEIC; convert it: heif-convert" in complaints


def test_a_device_or_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    status, lines, complaints = analyze("/dev/zero", "pipe.mp4", folder=tmp_path)
    assert (status, lines) == (1, {})
    assert "mien: /dev/zero: a device, not a picture or video file" in complaints
    assert "mien: pipe.mp4: a FIFO, not a picture or video file" in complaints
