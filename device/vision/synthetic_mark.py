"""Marks pictures that are not what a camera saw: words in the picture, and in the file.

The EU's AI Act (Art. 50) asks for both where people are shown doing what they did not do.
"""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

from device import __version__
from device.errors import UsageError
from device.vocabulary import Image

MAX_JPEG_PX = 65_500  # a side, in libjpeg
VISIBLE_TEXT = "synthetic expression"
DESCRIPTION = "Synthetic: the expression of a face in this picture was made by a neural network"
SOFTWARE = f"Mien {__version__}"
# IPTC's term for a photograph of which a model made a part
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def draw_mark(image: Image, text: str = VISIBLE_TEXT) -> Image:
    """A copy of the picture with the words on a dark strip along its lower border.

    Args:
        image: (height, width) or (height, width, 3) uint8, at least 24 px wide.
        text: the words.
    """
    height, width = image.shape[:2]
    font = cv2.FONT_HERSHEY_SIMPLEX
    (unit_width, unit_height), _ = cv2.getTextSize(text, font, 1.0, 1)
    scale = min(0.92 * width / unit_width, max(0.4, min(height, width) / 900))
    thickness = max(1, round(scale * 1.5))
    strip_px = max(6, round(unit_height * scale * 2.0))
    result = image.copy()
    result[-strip_px:] = result[-strip_px:] // 4
    at = (max(1, round(unit_height * scale * 0.5)), height - round(strip_px * 0.28))
    white = 255 if image.ndim == 2 else (255, 255, 255)
    cv2.putText(result, text, at, font, scale, white, thickness, cv2.LINE_AA)
    return result


def encode_marked(image: Image, suffix: str, quality: int = 92) -> bytes:
    """The picture as PNG or JPEG bytes that say what it is.

    Args:
        image: grey or RGB uint8.
        suffix: ``.png``, ``.jpg`` or ``.jpeg``.
        quality: of a JPEG.

    Raises:
        ValueError: another suffix.
        UsageError: too large for a JPEG.
    """
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if suffix == ".png":
        content = np.asarray(cv2.imencode(".png", pixels)[1], np.uint8).tobytes()
        return _with_png_text(content)
    if suffix in (".jpg", ".jpeg"):
        if max(pixels.shape) > MAX_JPEG_PX:
            raise UsageError(f"a JPEG has at most {MAX_JPEG_PX} px a side; take .png")
        encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return _with_exif(np.asarray(encoded, np.uint8).tobytes())
    raise ValueError(f"{suffix!r}: a marked picture is .png, .jpg or .jpeg")


def _with_png_text(content: bytes) -> bytes:
    """PNG bytes with tEXt chunks after the header chunk."""
    header_end = 8 + 4 + 4 + 13 + 4  # signature, then length, type, data and sum of IHDR
    texts = {"Description": DESCRIPTION, "Software": SOFTWARE, "DigitalSourceType": SOURCE_TYPE}
    chunks = b""
    for key, text in texts.items():
        body = b"tEXt" + key.encode("latin-1") + b"\0" + text.encode("latin-1")
        chunks += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content[:header_end] + chunks + content[header_end:]


def _with_exif(content: bytes) -> bytes:
    """JPEG bytes with an EXIF segment right after the start marker."""
    texts = [(0x010E, f"{DESCRIPTION} ({SOURCE_TYPE})"), (0x0131, SOFTWARE)]  # tags ascending
    directory_end = 8 + 2 + 12 * len(texts) + 4
    entries, values = b"", b""
    for tag, text in texts:
        data = text.encode("ascii") + b"\0"
        entries += struct.pack(">HHII", tag, 2, len(data), directory_end + len(values))
        values += data
    tiff = b"MM\0*" + struct.pack(">IH", 8, len(texts)) + entries + struct.pack(">I", 0) + values
    body = b"Exif\0\0" + tiff
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]
