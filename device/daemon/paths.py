"""Where files lie: the state folder and the settings, of an installed program and of others."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from device.errors import ConfigurationError
from device.files import explain_wrong_file
from device.settings import Settings

RELEASES = Path("/opt/mien")  # where install.sh puts the program that the service runs ...
SERVICE_STATE = Path("/var/lib/mien")  # ... where systemd keeps what the service remembers ...
SERVICE_SETTINGS = Path("/etc/mien/mien.toml")  # ... and what it is told
REMEMBERED = "settings.json"  # in the state folder


def is_installed() -> bool:
    """True for the program that the service runs."""
    return Path(__file__).resolve().is_relative_to(RELEASES)


def service_settings(named: Path | None) -> Path | None:
    """The settings file that was named, else for an installed program the service's."""
    if named is None and is_installed() and SERVICE_SETTINGS.is_file():
        return SERVICE_SETTINGS
    return named


def state_folder(configured: str, environment: Mapping[str, str]) -> Path:
    """The configured folder, else systemd's, else one in the user's home.

    An installed program serves the service's folder from a login too: what a command says of the
    device's faces and models must be true of the daemon's.

    Raises:
        ConfigurationError: nothing is configured, and this user has no home.
    """
    if configured:
        return Path(configured)
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if is_installed():
        return SERVICE_STATE
    if home := environment.get("XDG_STATE_HOME"):
        return Path(home) / "mien"
    try:
        return Path.home() / ".local" / "state" / "mien"
    except RuntimeError as error:
        raise ConfigurationError(
            "device.state_dir is empty and this user has no home folder: name a folder there"
        ) from error


def require_places(settings: Settings, folder: Path) -> None:
    """Refuses places in which nothing can ever be kept, before anything is opened there.

    Args:
        settings: the tree.
        folder: the state folder.

    Raises:
        ConfigurationError: there are such; each is told.
    """
    wrong = list(_misfits_of_places(settings, folder))
    if wrong:
        raise ConfigurationError(wrong[0], wrong[1:])


def _misfits_of_places(settings: Settings, folder: Path) -> Iterator[str]:
    nearest = folder
    with suppress(OSError):  # somebody else's is not judged
        while not nearest.exists():
            nearest = nearest.parent
        if not nearest.is_dir():
            yield explain_place("device.state_dir", folder, nearest, os.strerror(errno.ENOTDIR))
    for key, given in (
        ("outbox.path", settings.outbox.path),
        ("health.prometheus_file", settings.health.prometheus_file),
    ):
        path = folder / given if key == "outbox.path" else Path(given)
        why = explain_wrong_file(given, path) if given else ""
        if given and path.absolute() == (folder / REMEMBERED).absolute():
            why = "what was set by commands is kept there; name another file"
        if why:
            yield f"{key} = {given!r}: {why}"


def explain_place(key: str, folder: Path, nearest: Path, reason: str) -> str:
    """That a folder of the settings is of no use.

    Args:
        key: of the settings.
        folder: that is meant.
        nearest: the one above it, or itself, that is there.
        reason: in words.
    """
    return f"{key}: nothing can be written to {folder}: {nearest}: {reason}"


def write_atomically(path: Path, content: bytes, mode: int = 0o666, for_all: bool = False) -> None:
    """Replaces a file as a whole and has it written through.

    Args:
        path: of the file; its folder is made.
        content: all of it.
        mode: before the umask.
        for_all: everybody may read it, whatever the umask.

    Raises:
        OSError: no room, no permission; the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            if for_all:
                os.fchmod(handle, 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
