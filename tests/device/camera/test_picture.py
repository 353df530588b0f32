from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera.picture import read_picture
from device.errors import CameraError
from tests.device.camera.clips import write_clip
from tests.device.camera.test_media_file import ftyp


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999)))


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, width, height, 1, 24, *6 * (0,))


BOMBS = {
    "bomb.png": png_header(30_000, 30_000),
    "bomb.bmp": bmp_header(30_000, 30_000),
    "bomb.ppm": b"P6 30000 30000 255\n" + bytes(99),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_is_measured_before_memory_is_reserved(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name])
    # OpenCV reads its limit once, when it is loaded: only a new process shows what holds.
    code = (
        "import sys; from pathlib import Path; from device.camera.picture import read_picture\n"
        "read_picture(Path(sys.argv[1]), color=True)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert f"CameraError: {path}: more than 67 megapixels; scale it down" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jpg", ftyp(b"heic"), r"a\.jpg: OpenCV does not read HEIC; convert it: heif-convert a"),
        ("a", b"\xff\x0a" + bytes(50), "OpenCV does not read JPEG XL; convert it: djxl a"),
        ("a.avif", ftyp(b"avif"), "damaged, or this OpenCV does not read AVIF; convert it"),
        ("a.png", png_header(64, 64), "not a picture, or damaged"),
    ],
)
def test_what_cannot_be_decoded_has_its_reason(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CameraError, match=words):
        read_picture(path, color=False)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), np.full((8, 9, 3), 7, np.uint8))
    assert read_picture(path.rename(tmp_path / "a.txt"), color=False).shape == (8, 9)


def test_a_video_is_no_picture(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4").rename(tmp_path / "clip.jpg")
    with pytest.raises(CameraError, match=r"clip\.jpg: a video \(MP4\), not a picture"):
        read_picture(path, color=True)
