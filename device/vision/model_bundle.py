"""A model bundle: a ``.zip`` or a folder with one ``.tflite`` and its card."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

from device.errors import ModelError, UsageError
from device.files import read_file
from device.vision.model_card import MAX_CARD_BYTES, MAX_MODEL_BYTES

MAX_ZIP_BYTES = MAX_MODEL_BYTES + MAX_CARD_BYTES
PARTS = ((".tflite", MAX_MODEL_BYTES), (".json", MAX_CARD_BYTES))
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others may ask for gigabytes
DAMAGE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError,
    ValueError, LookupError, OverflowError, MemoryError, zlib.error, struct.error,
)  # fmt: skip


def read_bundle(bundle: Path) -> dict[str, bytes]:
    """The content of its two files by suffix, ``.tflite`` and ``.json``.

    Raises:
        ModelError: damaged, too large, or not one of each.
        UsageError: no such bundle, or not readable.
    """
    try:
        if bundle.is_dir():
            return _read_folder(bundle)
        content = read_file(bundle, MAX_ZIP_BYTES)
    except FileNotFoundError as error:
        raise UsageError(f"{bundle}: no such bundle") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{bundle}: cannot read the bundle: {error}") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {suffix: _unpack(archive, bundle, suffix, most) for suffix, most in PARTS}
    except DAMAGE as error:
        raise ModelError(f"{bundle}: not a readable zip: {str(error)[:200]!r}") from error


def _read_folder(bundle: Path) -> dict[str, bytes]:
    models = sorted(bundle.glob("*.tflite"))
    if len(models) != 1:
        raise ModelError(f"{bundle}: {len(models)} .tflite files instead of one")
    return {suffix: read_file(models[0].with_suffix(suffix), most) for suffix, most in PARTS}


def _unpack(archive: zipfile.ZipFile, bundle: Path, suffix: str, most: int) -> bytes:
    """Takes a file by its suffix; its path in the zip is not followed."""
    entries = [entry for entry in archive.infolist() if entry.filename.endswith(suffix)]
    if len(entries) != 1:
        raise ModelError(f"{bundle}: {len(entries)} {suffix} files instead of one")
    [entry] = entries
    if entry.compress_type not in PACKED:
        raise ModelError(f"{bundle}: packed in a way that is not read: allowed: stored, deflated")
    with archive.open(entry) as source:
        content = source.read(most + 1)  # the size a zip states may be a lie
    if len(content) > most:
        raise ModelError(f"{bundle}: {entry.filename[:80]} is larger than {most >> 20} MiB")
    return content
