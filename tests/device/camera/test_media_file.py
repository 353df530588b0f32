from __future__ import annotations

import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera.media_file import Kind, is_video, open_media, read_kind, shown, sniff
from device.errors import CameraError
from tests.device.camera.clips import CODECS, write_clip


def ftyp(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1miaf"


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_is_known_by_its_content(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}").rename(tmp_path / "IMG.jpg")
    assert is_video(path)


@pytest.mark.parametrize("suffix", ["bmp", "jp2", "jpg", "pgm", "png", "ppm", "tif", "webp"])
def test_a_picture_is_known_by_its_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    assert cv2.imwrite(str(path), np.zeros((64, 64) if suffix == "pgm" else (64, 64, 3), np.uint8))
    assert not is_video(path.rename(tmp_path / "clip.mp4"))


@pytest.mark.parametrize(
    ("head", "suffix", "kind"),
    [
        (ftyp(b"heic"), ".jpg", Kind("HEIC", is_video=False)),
        (ftyp(b"mif1"), "", Kind("HEIC", is_video=False)),
        (ftyp(b"avif"), "", Kind("AVIF", is_video=False)),
        (ftyp(b"3gp4"), "", Kind("MP4", is_video=True)),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "", Kind("MP4", is_video=True)),
        (b"GIF89a", "", Kind("GIF", is_video=True)),
        (b"\xff\xd8\xff\xe0", ".mjpg", Kind("Motion JPEG", is_video=True)),
        (b"\xff\xd8\xff\xe0", ".mp4", Kind("JPEG", is_video=False)),
        (b"?", ".JPG".lower(), Kind("picture", is_video=False)),
        (b"?", ".mkv", Kind("video", is_video=True)),
        (b"?", ".txt", None),
        (b"", "", None),
        (b"G" * 4, "", None),  # too short to be a transport stream
    ],
)
def test_the_first_bytes_decide_and_then_the_name(
    head: bytes, suffix: str, kind: Kind | None
) -> None:
    assert sniff(head, suffix) == kind


def test_a_missing_file_is_told_by_its_name() -> None:
    assert is_video(Path("gone.MP4"))
    assert not is_video(Path("gone.jpg"))


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device", "folder"])
def test_what_has_no_end_or_waits_for_ever_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    path = tmp_path / "clip.mp4"
    reason = f"a {kind}, not a picture or video file"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("clip.mp4")
        reason = "cannot read: No such device or address"  # the kernel opens none
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(CameraError, match=reason):
        open_media(path)


def test_a_name_with_a_null_byte_is_an_error() -> None:
    with pytest.raises(CameraError, match=r"null (byte|character)"):
        open_media(Path("a\0.jpg"))


def test_an_unknown_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("no picture")
    with open_media(path) as file, pytest.raises(CameraError, match="notes: not a picture and not"):
        read_kind(file, path)


def test_names_are_shown_on_one_line() -> None:
    assert shown(Path(os.fsdecode(b"gr\xfcn.mp4"))) == r"gr\xfcn.mp4"
    assert shown(Path("grün\n.mp4")) == r"grün\n.mp4"
