"""What arguments of the command line may be, told before any work is done.

Runs on the standard library alone, as ``mien fetch`` does.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from device.errors import UsageError


def given_path(text: str) -> Path:
    """A path; an empty text, as an unset variable of a shell gives, names no folder.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    return Path(given_text(text))


def given_text(text: str) -> str:
    """A name or an address.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("the value is empty")
    return text


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Reads whole numbers from ``low`` to ``high``; others raise argparse.ArgumentTypeError."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f"{text[:80]}: expected a whole number from {low} to {high}"
            )
        return number

    return read


def require_writable(folder: Path, named: str) -> None:
    """Tries whether a file can be made in a folder; none is left there.

    Args:
        folder: that has to be there.
        named: the option and its value, for the message.

    Raises:
        UsageError: none can.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{named}: cannot write: {error.strerror}") from error
