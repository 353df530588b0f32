"""Files that are written whole or not at all, places that are tried first, and the models' folder."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from device.errors import UsageError

MODELS = Path(__file__).parents[1] / "device" / "models"  # pairs NAME.tflite and NAME.json


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write into; it takes that place when the block ends well.

    A failure or a kill leaves what was there before. The suffix stays, for writers that go by it.
    The folder is made if it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name("part-" + path.name)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def require_output(*paths: Path | None) -> None:
    """Tries first whether files can be written that a long command writes at its end.

    Args:
        paths: of the files; None where none is wanted.

    Raises:
        UsageError: one cannot be written.
    """
    for path in paths:
        if path is not None:
            if path.is_dir():
                raise UsageError(f"{path}: cannot write: it is a folder")
            _try(path, path.parent)


def require_folder(*folders: Path) -> None:
    """Tries first whether folders, which may not be there yet, take what a long command writes.

    Raises:
        UsageError: one does not.
    """
    for folder in folders:
        _try(folder, folder)


def _try(named: Path, folder: Path) -> None:
    """Leaves nothing behind: what is missing is made by ``whole``."""
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(f"{named}: cannot write: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Why a file cannot be used, in one line of plain words, without Python's own."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON, see line {error.lineno}"
    if isinstance(error, KeyError):
        name = str(error.args[0])
        return name if " " in name else f"{name} is missing"
    if isinstance(error, TypeError | AttributeError | IndexError):
        return "a part of it has another form than expected"
    if "pickle" in str(error):  # NumPy's word for what is none of its files
        return "it is of another format"
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def read_numbers(path: Path, *keys: str) -> Any:
    """What a measurement wrote as JSON.

    Args:
        path: of the file.
        keys: that must be in it.

    Raises:
        UsageError: missing, not JSON, or without one of them.
    """
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: no numbers of a measurement: {reason(error)}") from error
    lacking = [key for key in keys if not isinstance(numbers, dict) or key not in numbers]
    if lacking:
        raise UsageError(f"{path}: no numbers of a measurement: it lacks {', '.join(lacking)}")
    return numbers


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Writes a CSV file, whole or not at all."""
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
