"""Reading files that somebody else may have written: regular ones alone, never more than fits."""

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
    with os.fdopen(handle, "rb", closefd=True) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than the {most} bytes that are allowed")
    return content


def keep_private(path: Path) -> None:
    """Takes a file that is there from everybody but its owner; somebody else's stays as it is."""
    with suppress(OSError):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def may_pass(error: Exception) -> bool:
    """True where a file of the settings may be good at the next start, though nobody corrects them.

    The disk may fail for a moment. A certificate that is being renewed and its key are two files,
    and between the two writes they do not fit each other.
    """
    if getattr(error, "library", None):  # ssl.SSLError, whose errno is OpenSSL's
        return getattr(error, "reason", None) in RENEWED
    return is_storage_trouble(error)
