"""A model bundle: a ``.zip`` or a folder with one ``.tflite`` and its card."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from device.errors import ModelError, UsageError
from device.files import read_file
from device.vision.model_card import MAX_CARD_BYTES, MAX_MODEL_BYTES

MAX_ZIP_BYTES = MAX_MODEL_BYTES + MAX_CARD_BYTES
PARTS = ((".tflite", MAX_MODEL_BYTES), (".json", MAX_CARD_BYTES))
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others may ask for gigabytes
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
DAMAGE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError,
    ValueError, LookupError, OverflowError, MemoryError, zlib.error, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Bundle:
    """What a model bundle holds.

    Attributes:
        files: contents by suffix, ``.tflite`` and ``.json``.
        card_name: of its ``.json``, for messages.
    """

    files: dict[str, bytes]
    card_name: str


def read_bundle(bundle: Path) -> Bundle:
    """Its two files.

    Raises:
        ModelError: damaged, too large, or not one of each.
        UsageError: no such bundle, not readable, or neither a zip nor a folder.
    """
    try:
        if bundle.is_dir():
            return _read_folder(bundle)
        content = read_file(bundle, MAX_ZIP_BYTES)
    except FileNotFoundError as error:
        raise UsageError(f"{bundle}: no such bundle") from error
    except OSError as error:
        raise UsageError(f"{bundle}: cannot read the bundle: {error.strerror}") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            read = {suffix: _unpack(archive, bundle, suffix, most) for suffix, most in PARTS}
    except DAMAGE as error:
        if not content.startswith(ZIP_STARTS):
            raise UsageError(f"{bundle}: neither a .zip nor a folder") from error
        raise ModelError(f"{bundle}: not a readable zip: {str(error)[:200]!r}") from error
    files = {suffix: content for suffix, (_, content) in read.items()}
    return Bundle(files, read[".json"][0])


def _read_folder(bundle: Path) -> Bundle:
    models = [bundle / name for name in os.listdir(bundle) if name.endswith(".tflite")]
    if len(models) != 1:
        raise ModelError(f"{bundle}: {len(models)} .tflite files instead of one")
    card = models[0].with_suffix(".json")
    if not card.exists():
        raise ModelError(f"{bundle}: {models[0].name} lacks its card {card.name}")
    files = {suffix: read_file(models[0].with_suffix(suffix), most) for suffix, most in PARTS}
    return Bundle(files, _shown(card.name))


def _shown(name: str) -> str:
    """A name from a bundle, on one line of bounded length."""
    return "".join(c if c.isprintable() else "?" for c in name[-80:])


def _unpack(archive: zipfile.ZipFile, bundle: Path, suffix: str, most: int) -> tuple[str, bytes]:
    """Name and content of the file with a suffix; its path in the zip is not followed."""
    entries = [entry for entry in archive.infolist() if entry.filename.endswith(suffix)]
    if len(entries) != 1:
        raise ModelError(f"{bundle}: {len(entries)} {suffix} files instead of one")
    [entry] = entries
    if entry.compress_type not in PACKED:
        raise ModelError(f"{bundle}: packed in a way that is not read: allowed: stored, deflated")
    with archive.open(entry) as source:
        content = source.read(most + 1)  # the size a zip states may be a lie
    if len(content) > most:
        raise ModelError(f"{bundle}: {_shown(entry.filename)} is larger than {most >> 20} MiB")
    return _shown(entry.filename), content
