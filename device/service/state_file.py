"""What the daemon remembers over a restart: settings set from afar, and whether it is paused.

One small JSON file in the state folder, replaced as a whole: after a power cut there is the old
one or the new one, never half of one.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.errors import ConfigurationError, UsageError
from device.settings import Settings, replace_setting

log = logging.getLogger("mien")

MAX_BYTES = 64 << 10
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
    device's faces and networks must be true of the daemon's.
    """
    if configured:
        return Path(configured)
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if is_installed():
        return SERVICE_STATE
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "mien"


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

    The service is a user of its own and must be able to take back what was installed for it.
    """
    if os.geteuid() != 0 or not written.exists():
        return
    owner = state.stat()
    for path in (written, *written.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


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


class StateFile:
    """The remembered settings.

    Args:
        path: usually ``settings.json`` in the state folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._body = self._read()

    @property
    def paused(self) -> bool:
        """Whether nobody may be watched."""
        return self._body.get("paused") is True

    @property
    def announced(self) -> str:
        """The topic under which Home Assistant knows this device; empty when it does not."""
        topic = self._body.get("announced")
        return topic if isinstance(topic, str) else ""

    def remember_announced(self, topic: str) -> None:
        """Remembers that topic; a disk that refuses it only costs a later retraction."""
        if topic != self.announced:
            try:
                self._write({**self._body, "announced": topic})
            except OSError as error:
                log.warning("%s: cannot be written: %s", self._path, error)

    def apply(self, settings: Settings) -> Settings:
        """The settings with what was set from afar over them; what no longer fits is left out."""
        overrides = self._body.get("settings")
        for dotted, value in (overrides if isinstance(overrides, dict) else {}).items():
            try:
                settings = replace_setting(settings, str(dotted), value, str(self._path))
            except ConfigurationError as error:
                log.warning("a remembered setting is left out: %s", error)
        return settings

    def remember(
        self, settings: Mapping[str, Any] | None = None, paused: bool | None = None
    ) -> None:
        """Adds to what is remembered.

        Raises:
            OSError: it cannot be written; the old state stays.
        """
        body = dict(self._body)
        if settings is not None:
            old = body.get("settings")
            body["settings"] = {**(old if isinstance(old, dict) else {}), **settings}
        if paused is not None:
            body["paused"] = paused
        self._write(body)

    def _write(self, body: dict[str, Any]) -> None:
        write_atomically(self._path, (json.dumps(body, indent=1) + "\n").encode())
        self._body = body

    def _read(self) -> dict[str, Any]:
        try:
            with self._path.open("rb") as file:
                body = json.loads(file.read(MAX_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s: what was set from afar is lost: %s", self._path, error)
            return {}
        return body if isinstance(body, dict) else {}
