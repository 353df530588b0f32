"""The pictures and videos of a folder, and what of it is left out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from device.camera.media_file import HEAD_BYTES, explain_unreadable, shown, sniff, special_kind
from device.errors import CameraError


@dataclass(frozen=True)
class Listing:
    """What a path holds; the sentences name a path and the reason.

    ``left_out``: neither pictures nor videos. ``unreadable``: could not be looked at.
    """

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def list_sources(path: Path) -> Listing:
    """The file itself, or all pictures and videos of a folder and those below, sorted.

    What a file holds decides, not its name. Hidden files are left out without a word.

    Raises:
        CameraError: nothing there, not permitted, or a folder without pictures and videos.
    """
    try:
        if not path.is_dir():
            path.stat()
            return Listing([path])
        os.listdir(path)  # os.walk would say nothing of this one
    except (OSError, ValueError) as error:
        raise CameraError(explain_unreadable(path, error)) from error
    listing = _walk(path)
    if not listing.files:
        why = listing.unreadable or listing.left_out
        first = f" ({why[0]})" if why else ""
        raise CameraError(f"{shown(path)}: no picture and no video in this folder{first}")
    return listing


def _walk(folder: Path) -> Listing:
    listing = Listing()

    def note(error: OSError) -> None:
        listing.unreadable.append(explain_unreadable(Path(error.filename), error))

    for parent, folders, names in os.walk(folder, onerror=note):
        for name in folders:
            if Path(parent, name).is_symlink():
                listing.left_out.append(f"{shown(Path(parent, name))}: a link to a folder")
        for name in names:
            if not name.startswith("."):
                _sort_in(Path(parent, name), listing)
    return Listing(sorted(listing.files), sorted(listing.left_out), sorted(listing.unreadable))


def _sort_in(path: Path, listing: Listing) -> None:
    try:
        special = special_kind(path.stat().st_mode)
        if special:
            listing.left_out.append(f"{shown(path)}: {special}, not a file")
            return
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        listing.unreadable.append(explain_unreadable(path, error))
        return
    if sniff(head, path.suffix.lower()):
        listing.files.append(path)
    else:
        listing.left_out.append(f"{shown(path)}: not a picture and not a video")
