"""Files that somebody else may have written or named: regular ones alone, never more than fits."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from device.errors import is_storage_trouble

RENEWED = ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED")  # the second: of another algorithm


def read_file(path: Path, most: int, flags: int = 0) -> bytes:
    """The content of a regular file; a pipe or a device is refused and makes nobody wait.

    Args:
        path: of the file.
        most: bytes; a larger file is refused.
        flags: more of ``os.open``, such as ``os.O_NOFOLLOW``.

    Raises:
        OSError: not there, not readable, not a regular file, too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    except ValueError as error:  # a NUL
        raise OSError(errno.EINVAL, f"not a path: {error}") from error
    try:  # closed here: `fdopen` refuses a folder and leaves its handle open
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(handle)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than the {most} bytes that are allowed")
    return content


def keep_private(path: Path) -> None:
    """Takes a regular file from everybody but its owner; somebody else's stays as it is.

    A folder or a device that a wrong setting names is left alone.
    """
    with suppress(OSError):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            path.chmod(0o600)


def explain_wrong_file(given: str, path: Path) -> str:
    """Why no file can be written to a place, in words; empty where nothing is known against it.

    Args:
        given: as it stands in the settings.
        path: where that is.
    """
    if os.path.basename(given) in ("", ".", ".."):
        return "is a folder; name a file"
    with suppress(OSError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "is a folder; name a file"
        if not stat.S_ISREG(mode):
            return "is a device or a pipe; name a file"
    return ""


def in_words(error: Exception) -> str:
    """Why something failed, for people: the file, where it is known, and not Python's number."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    name = getattr(error, "filename", None)
    return f"{name}: {reason}" if name else str(reason)


def may_pass(error: Exception) -> bool:
    """True where a file of the settings may be good at the next start, though nobody corrects them.

    The disk may fail for a moment. A certificate that is being renewed and its key are two files,
    and between the two writes they do not fit each other.
    """
    if getattr(error, "library", None):  # ssl.SSLError, whose errno is OpenSSL's
        return getattr(error, "reason", None) in RENEWED
    return is_storage_trouble(error)
