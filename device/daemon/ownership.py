"""Whose the state folder is: the service is a user of its own, people come with ``sudo``."""

from __future__ import annotations

import os
from pathlib import Path

from device.errors import UsageError


def require_access(folder: Path, need_writing: bool = True) -> Path:
    """The state folder, when this user may look into it and change it.

    Raises:
        UsageError: it is somebody else's.
    """
    mode = os.R_OK | os.X_OK | (os.W_OK if need_writing else 0)
    try:
        missing = not folder.exists()
    except PermissionError:
        missing = False
    if not missing and not os.access(folder, mode):
        raise UsageError(f"{folder}: not yours to read or change: run the command with sudo")
    return folder


def give_to_owner(state: Path, written: Path) -> None:
    """After root has written: a part of the state folder belongs to whom the folder belongs.

    The service must be able to take back what was installed for it.
    """
    if os.geteuid() != 0 or not written.exists():
        return
    owner = state.stat()
    for path in (written, *written.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
