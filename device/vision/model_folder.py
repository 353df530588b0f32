"""The files and links of an installed model, written so that a power cut leaves a whole one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from device.vision.model_card import ModelCard
from device.vision.trial import PASSED

VERSION = re.compile(r".+-[0-9a-f]{12}")  # a folder of ours


def version_folder(card: ModelCard) -> str:
    """The name of the folder in which a model is installed."""
    return f"{card.version}-{card.sha256[:12]}"


def put_model(folder: Path, card: ModelCard, files: Mapping[str, bytes]) -> None:
    """Writes an installed model and takes it into use; what no link names then is deleted.

    Args:
        folder: of all installed models.
        card: the model's.
        files: contents by suffix; that of ``PASSED`` is the mark.

    Raises:
        OSError: no room, no permission; the model in use stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".new-*"):  # a killed installation of an older Mien
        shutil.rmtree(left, ignore_errors=True)
    name, version = card.name, version_folder(card)
    place = folder / name / version
    place.mkdir(parents=True, exist_ok=True)
    named = {PASSED if s == PASSED else f"{name}{s}": content for s, content in files.items()}
    _write_all(place, named)
    current, previous = place.parent / "current", place.parent / "previous"
    old = os.readlink(current) if current.is_symlink() else None
    if old != version:
        if old:
            replace_link(previous, old)
        else:
            previous.unlink(missing_ok=True)
        replace_link(current, version)
    _remove_unreachable(place.parent)


def _write_all(place: Path, files: Mapping[str, bytes]) -> None:
    """Writes files, by name, into a folder: all, or none that did not lie there before."""
    new = [name for name in files if not (place / name).exists()]
    part = place / ".part"
    try:
        for name, content in files.items():
            part.unlink(missing_ok=True)
            part.write_bytes(content)
            write_through(part)
            part.replace(place / name)
        write_through(place)
    except OSError:  # a full disk gets its room back
        with suppress(OSError):
            for path in (part, *(place / name for name in new)):
                path.unlink(missing_ok=True)
            place.rmdir()
        raise


def _remove_unreachable(folder: Path) -> None:
    """Deletes the versions of a model that neither link names; what cannot be deleted stays.

    Paths are not resolved: the folder may lie in one that this user may not look into.
    """
    with suppress(OSError):
        links = [folder / "current", folder / "previous"]
        kept = {Path(os.readlink(link)).name for link in links if link.is_symlink()}
        for path in folder.iterdir():
            is_version = path.is_dir() and not path.is_symlink() and VERSION.fullmatch(path.name)
            if is_version and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def replace_link(path: Path, target: str) -> None:
    """Puts a link in place in one step; a power cut leaves the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
    write_through(path.parent)


def write_through(path: Path) -> None:
    """Has a file or folder written to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
