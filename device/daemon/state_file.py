"""What the daemon remembers over a restart: settings set over MQTT, and whether it is paused.

One small JSON file in the state folder, replaced as a whole: after a power cut there is the old
one or the new one, never half of one. A checksum shows what else may happen to it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from device.daemon.paths import write_atomically
from device.errors import ConfigurationError
from device.files import keep_private, read_file
from device.settings import Settings, replace_setting

log = logging.getLogger("mien")

MAX_BYTES = 64 << 10
CHECK = "sha256"  # of the rest of the file
KINDS: dict[str, type] = {"settings": dict, "paused": bool, "announced": str}


class StateFile:
    """The remembered settings.

    Nobody knows whether a device with a damaged file was paused, so it is. From any thread.

    Args:
        path: usually ``settings.json`` in the state folder; None keeps it in memory alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._body = self._read(path) if path else {}

    @property
    def lasts(self) -> bool:
        """Whether what is remembered is there after the next start."""
        return self._path is not None

    @property
    def problem(self) -> str | None:
        """That the file was damaged, in one line, until pause or resume is remembered."""
        problem = self._body.get("problem")
        return problem if isinstance(problem, str) else None

    @property
    def paused(self) -> bool:
        """Whether nobody may be watched."""
        return self._body.get("paused") is True

    @property
    def announced(self) -> str:
        """The topic under which Home Assistant knows this device; empty when it does not."""
        topic = self._body.get("announced")
        return topic if isinstance(topic, str) else ""

    @property
    def layout(self) -> int:
        """The layout of that announcement."""
        layout = self._body.get("layout")
        return layout if isinstance(layout, int) else 1

    @property
    def retracting(self) -> tuple[str, ...]:
        """Topics whose retraction the broker has not acknowledged yet."""
        topics = self._body.get("retracting")
        return tuple(map(str, topics)) if isinstance(topics, list) else ()

    def remember_announced(self, topic: str, layout: int, retracting: Collection[str] = ()) -> None:
        """Remembers what was announced and what has to be retracted.

        A disk that refuses it only costs a later retraction. A damaged file stays as it is until
        somebody has decided about the pause.
        """
        topics = tuple(sorted(retracting))
        wanted = {"announced": topic, "layout": layout, "retracting": list(topics)}
        with self._lock:
            known = self.announced, self.layout if topic else layout, self.retracting
            if known == (topic, layout, topics):
                return
            try:
                self._write({**self._body, **wanted}, in_memory=self.problem is not None)
            except OSError as error:
                log.warning("%s: cannot be written: %s", self._path, error)

    def forget_retracted(self, topic: str) -> None:
        """The broker knows nothing of this topic any more."""
        left = [each for each in self.retracting if each != topic]
        self.remember_announced(self.announced, self.layout, left)

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
        with self._lock:
            body = dict(self._body)
            if settings is not None:
                old = body.get("settings")
                body["settings"] = {**(old if isinstance(old, dict) else {}), **settings}
            if paused is not None:  # somebody has decided; other settings say nothing about that
                body["paused"] = paused
                body.pop("problem", None)
            self._write(body)

    def _write(self, body: dict[str, Any], in_memory: bool = False) -> None:
        text = json.dumps({**body, CHECK: _checksum(body)}, indent=1) + "\n"
        if self._path and not in_memory:
            write_atomically(self._path, text.encode(), mode=0o600)
        self._body = body

    def _read(self, path: Path) -> dict[str, Any]:
        keep_private(path)  # an older Mien made it for everybody to read
        try:
            return _checked(json.loads(read_file(path, MAX_BYTES)))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"{path.name} is damaged ({reason}): paused; send resume"
            log.error("%s: what was set by commands is lost: %s", path, problem)
            return {"paused": True, "problem": problem}


def _checked(body: Any) -> dict[str, Any]:
    """The body without its checksum; a file of an older Mien has none.

    Raises:
        ValueError: it is not what was written.
    """
    if not isinstance(body, dict):
        raise ValueError("not an object")
    if CHECK in body:
        if body.pop(CHECK) != _checksum(body):
            raise ValueError("another checksum")
    elif any(not isinstance(value, KINDS.get(key, ())) for key, value in body.items()):
        raise ValueError("unknown content")
    return body


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
