"""Whose a folder is: the service is a user of its own, people come with ``sudo``.

Where root writes into the service's folder, or into somebody's home, it becomes the folder's
owner first. Then links that the owner has put there lead nowhere that the owner cannot reach.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from device.errors import UsageError


def require_access(folder: Path, need_writing: bool = True) -> Path:
    """The state folder, when this user may look into it and change it.

    Raises:
        UsageError: it is somebody else's, or read-only.
    """
    mode = os.R_OK | os.X_OK | (os.W_OK if need_writing else 0)
    try:
        missing = not folder.exists()
    except PermissionError:
        missing = False
    if not missing and not os.access(folder, mode):
        with suppress(OSError):
            if need_writing and os.statvfs(folder).f_flag & os.ST_RDONLY:
                raise UsageError(f"{folder}: the file system is read-only")
        raise UsageError(f"{folder}: not yours to read or change: run the command with sudo")
    return folder


@contextmanager
def acting_as_owner(path: Path) -> Iterator[Path]:
    """For root: acts as the owner of the nearest folder above ``path`` that is there.

    It does so from inside that folder, as the owner alone may not get there: systemd keeps the
    service's folder in one that is root's. For one thread.

    Yields:
        The path, from the folder where the process is now.

    Raises:
        OSError: it cannot be entered.
    """
    nearest = path.absolute().parent
    while not nearest.exists():
        nearest = nearest.parent
    owner = nearest.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield path
        return
    relative = path.absolute().relative_to(nearest)
    before, group, groups = os.open(".", os.O_RDONLY), os.getegid(), os.getgroups()
    handle = os.open(nearest, os.O_RDONLY | os.O_DIRECTORY)
    try:
        owner = os.fstat(handle)
        os.fchdir(handle)
        os.setgroups([owner.st_gid])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        yield relative
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
        os.fchdir(before)
        os.close(handle)
        os.close(before)
