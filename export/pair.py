"""The pair on disk: a model and its card, both files or neither.

Both are written beside their places first and flushed to the disk. Then the model takes its place,
then the card. A failure until then leaves the pair that was there. No system renames two files at
once: a kill between the two leaves the new model, the old card and the new card beside it, and
whatever exports into or reads from the folder next (``finish_pair``) puts the card in its place.
Until then the device refuses the model, because its checksum is not the card's.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from device.errors import ModelError, StorageError
from device.vision.model_card import ModelCard, read_card, read_model

PART = ".part"  # ends the name of a file that is not in its place yet


def write_pair(folder: Path, content: bytes, card: ModelCard, suffix: str = ".tflite") -> Path:
    """Writes ``NAME.tflite`` and ``NAME.json``.

    Args:
        folder: made if it is not there.
        content: of the model.
        card: its name is that of the files.
        suffix: of the model's file.

    Returns:
        The path of the model.

    Raises:
        StorageError: the folder cannot be written; nothing of the new pair stays there.
    """
    model = folder / f"{card.name}{suffix}"
    places = (model, model.with_suffix(".json"))
    parts = [place.with_name(place.name + PART) for place in places]
    existing = [parent for parent in (folder, *folder.parents) if parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finish_pair(model)
        for part, data in zip(parts, (content, card.to_json().encode()), strict=True):
            write_through(part, data)
        before = model.read_bytes() if model.exists() else None
        os.replace(parts[0], model)
        try:
            os.replace(parts[1], places[1])
        except OSError:
            put_back(model, before)
            raise
    except OSError as error:
        for part in parts:
            remove(part)
        if existing and existing[0] != folder:
            remove_empty(folder, existing[0])
        raise StorageError(
            f"{folder}: cannot write {model.name} there: {error.strerror}"
        ) from error
    return model


def require_writable(folder: Path) -> None:
    """Says before a long conversion what writing would say after it.

    Raises:
        StorageError: the folder cannot be written or made.
    """
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not nearest.is_dir():
        raise StorageError(f"{folder}: cannot write there: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StorageError(f"{folder}: cannot write there: {nearest} is read-only")


def finish_pair(model: Path) -> None:
    """Ends what a kill interrupted: puts the card in its place, or removes what belongs to none."""
    card = model.with_suffix(".json")
    waiting = card.with_name(card.name + PART)
    if waiting.exists():
        try:
            fits = read_card(waiting).sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
        except (ModelError, OSError):
            fits = False
        if fits:
            os.replace(waiting, card)
    for path in (waiting, model.with_name(model.name + PART)):
        remove(path)


def pair_in_place(model: Path) -> tuple[bytes, ModelCard] | None:
    """The model that lies there with its card; None where there is none.

    Raises:
        ModelError: it is damaged, or the card is of another.
    """
    if not model.exists():
        return None
    try:
        finish_pair(model)
    except OSError as error:
        raise StorageError(f"{model.parent}: cannot write there: {error.strerror}") from error
    card = model.with_suffix(".json")
    if not card.exists():
        return None
    if model.suffix == ".tflite":
        return read_model(model)
    content, found = model.read_bytes(), read_card(card)
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise ModelError(f"{model}: not the file that its card describes")
    return content, found


def write_through(path: Path, data: bytes) -> None:
    """Writes a file that also survives a power cut."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def put_back(model: Path, before: bytes | None) -> None:
    """Undoes the first of the two renames."""
    if before is None:
        remove(model)
    else:
        write_through(model, before)


def remove(path: Path) -> None:
    """Removes a file that may not be there, in a folder that may not be one."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def remove_empty(folder: Path, until: Path) -> None:
    """Removes the empty folders that were made on the way to ``folder``."""
    while folder != until:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
