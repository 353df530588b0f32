"""What the daemon remembers over a restart: settings set over MQTT, and whether it is paused.

One small JSON file in the state folder, replaced as a whole: after a power cut there is the old
one or the new one, never half of one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.daemon.paths import write_atomically
from device.errors import ConfigurationError
from device.settings import Settings, replace_setting

log = logging.getLogger("mien")

MAX_BYTES = 64 << 10


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
        """The settings with what was set over MQTT over them; what no longer fits is left out."""
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
            log.warning("%s: what was set over MQTT is lost: %s", self._path, error)
            return {}
        return body if isinstance(body, dict) else {}
