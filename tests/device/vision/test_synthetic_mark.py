import struct
import zlib

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vision.synthetic_mark import DESCRIPTION, SOURCE_TYPE, draw_mark, encode_marked


def chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """(type, data) of every PNG chunk, their sums checked."""
    found, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        body = content[at + 4 : at + 8 + length]
        (total,) = struct.unpack(">I", content[at + 8 + length : at + 12 + length])
        assert zlib.crc32(body) == total
        found.append((body[:4], body[4:]))
        at += 12 + length
    return found


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (80, 120, 3), np.uint8)


@pytest.mark.parametrize("shape", [(512, 512, 3), (40, 60), (24, 30, 3), (3000, 200)])
def test_the_mark_is_seen_and_leaves_most_of_the_picture(shape: tuple[int, ...]) -> None:
    plain = np.full(shape, 120, np.uint8)
    marked = draw_mark(plain)
    assert marked.shape == shape
    changed = (marked != plain).reshape(*shape[:2], -1).any(axis=2)
    assert changed[-1].all()
    assert changed.mean() < 0.4
    assert marked.max() > 180
    assert (plain == 120).all()


def test_a_png_carries_the_words_and_the_same_pixels(image: np.ndarray) -> None:
    content = encode_marked(image, ".png")
    kinds = [kind for kind, _ in chunks(content)]
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    texts = dict(data.split(b"\0", 1) for kind, data in chunks(content) if kind == b"tEXt")
    assert texts[b"Description"].decode() == DESCRIPTION
    assert texts[b"DigitalSourceType"].decode() == SOURCE_TYPE
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(image, decoded[:, :, ::-1])


def test_a_jpeg_carries_the_words_in_its_exif(image: np.ndarray) -> None:
    content = encode_marked(image, ".jpg")
    assert content[:4] == b"\xff\xd8\xff\xe1"
    (length,) = struct.unpack(">H", content[4:6])
    assert content[4 + length : 6 + length] == b"\xff\xe0"  # the next segment begins there
    tiff = content[12 : 4 + length]
    assert tiff[:4] == b"MM\0*"
    (count,) = struct.unpack(">H", tiff[8:10])
    values = {}
    for number in range(count):
        tag, _, size, offset = struct.unpack(">HHII", tiff[10 + 12 * number : 22 + 12 * number])
        values[tag] = tiff[offset : offset + size - 1].decode()
    assert values[0x010E].startswith(DESCRIPTION)
    assert values[0x0131].startswith("Mien ")
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == image.shape


def test_another_format_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\.png, \.jpg or \.jpeg"):
        encode_marked(image, ".gif")


def test_what_is_too_large_for_a_jpeg_is_said() -> None:
    with pytest.raises(UsageError, match=r"65500 px a side; take \.png"):
        encode_marked(np.zeros((30, 65_501), np.uint8), ".jpg")
