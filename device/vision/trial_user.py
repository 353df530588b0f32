"""As whom root tries out a model: a hostile one may take the process over that runs it.

On an installed device the models lie in a folder of the service, which root does not trust.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from device.errors import TrialNotDoneError
from device.vision import MODELS

NOBODY = 65534  # user and group


def foreign_owner(path: Path) -> tuple[int, int] | None:
    """For root: the user and group of somebody else who can change what lies at a path.

    Args:
        path: of a model. Its folders count, and what its links lead to.

    Returns:
        None where root alone can change it, and for everybody but root.
    """
    if os.geteuid() != 0:
        return None
    named, real = path.absolute(), path.resolve()
    for place in (real, *real.parents, named, *named.parents):
        for follow in (True, False):  # a folder may be a link in a folder that is somebody's
            with suppress(OSError):  # what is not there is refused when it is read
                status = place.stat(follow_symlinks=follow)
                if status.st_uid:
                    return status.st_uid, status.st_gid
    return None


def step_down(path: Path) -> None:
    """Root becomes the model's owner, or nobody where that is root; there is no way back.

    What came with Mien is tried out as root: it is as much to be trusted as the program. So is a
    model of root's own where this system has nobody, as in some containers.

    Raises:
        TrialNotDoneError: root cannot become the owner.
    """
    if os.geteuid() != 0 or path.parent in (MODELS, MODELS.resolve()):
        return
    owner = foreign_owner(path)
    user, group = owner or (NOBODY, NOBODY)
    try:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    except OSError as error:
        if owner:
            raise TrialNotDoneError(
                f"{path}: the self-test cannot be started: root cannot become user {user}, "
                f"whose model it is: {error.strerror}"
            ) from error
