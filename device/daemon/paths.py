"""Where files lie: the state folder and the settings, of an installed program and of others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

RELEASES = Path("/opt/mien")  # where install.sh puts the program that the service runs ...
SERVICE_STATE = Path("/var/lib/mien")  # ... where systemd keeps what the service remembers ...
SERVICE_SETTINGS = Path("/etc/mien/mien.toml")  # ... and what it is told


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
    """
    if configured:
        return Path(configured)
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if is_installed():
        return SERVICE_STATE
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "mien"


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file as a whole and has it written through.

    Raises:
        OSError: no room, no permission; the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
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
