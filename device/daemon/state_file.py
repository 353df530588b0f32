"""What the daemon remembers over a restart: settings set over MQTT, and whether it is paused.

One small JSON file in the state folder, replaced as a whole: after a power cut there is the old
one or the new one, never half of one. A checksum shows what else may happen to it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Any

from device.daemon.paths import write_atomically
from device.errors import ConfigurationError, StorageError
from device.files import keep_private, read_file
from device.settings import Settings, replace_setting

log = logging.getLogger("mien")

MAX_BYTES = 64 << 10
CHECK = "sha256"  # of the rest of the file
KINDS: dict[str, type] = {"settings": dict, "paused": bool, "announced": str}


class StateFile:
    """The remembered settings.

    Nobody knows whether a device was paused whose file is damaged or cannot be read, so it is.
    Such a file is kept beside the next one that is written. From any thread.

    Args:
        path: usually ``settings.json`` in the state folder; None keeps it in memory alone.
        is_look: True where it is only looked at: nothing is changed or logged.
    """

    def __init__(self, path: Path | None, is_look: bool = False) -> None:
        self._path, self._lock = path, threading.Lock()
        self._kept_as: Path | None = None  # where a file goes that could not be read
        self._body = self._read(path) if path else {}
        if path and not is_look:
            keep_private(path)  # an older Mien made it for everybody to read
            if self._kept_as:
                log.error("%s: what was set by commands is not in force: %s", path, self.problem)

    @property
    def lasts(self) -> bool:
        """Whether what is remembered is there after the next start."""
        return self._path is not None

    @property
    def problem(self) -> str | None:
        """That the file was damaged or unreadable, in one line, until a pause or resume is kept."""
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
            except StorageError as error:
                log.warning("%s", error)

    def forget_retracted(self, topic: str) -> None:
        """The broker knows nothing of this topic any more."""
        left = [each for each in self.retracting if each != topic]
        self.remember_announced(self.announced, self.layout, left)

    def apply(self, settings: Settings) -> Settings:
        """The settings with what was set over MQTT over them; what no longer fits is left out."""
        for dotted, value in self._overrides().items():
            try:
                settings = replace_setting(settings, dotted, value, str(self._path))
            except ConfigurationError as error:
                log.warning("a remembered setting is left out: %s", error)
        return settings

    def describe(self, settings: Settings) -> str:
        """What stands above the settings, in one line; empty where nothing does.

        Args:
            settings: as file and environment give them.
        """
        said = ["paused, until resume"] if self.paused else []
        for dotted, value in self._overrides().items():
            with suppress(ConfigurationError):  # left out, see ``apply``
                changed, get = replace_setting(settings, dotted, value), attrgetter(dotted)
                if get(changed) != get(settings):
                    said.append(f"{dotted} = {get(changed)} (settings: {get(settings)})")
        return ", ".join(said)

    def _overrides(self) -> dict[str, Any]:
        overrides = self._body.get("settings")
        return overrides if isinstance(overrides, dict) else {}

    def remember(
        self, settings: Mapping[str, Any] | None = None, paused: bool | None = None
    ) -> None:
        """Adds to what is remembered.

        Raises:
            StorageError: it cannot be written; the old state stays.
        """
        with self._lock:
            body = dict(self._body)
            if settings is not None:
                body["settings"] = {**self._overrides(), **settings}
            if paused is not None:  # somebody has decided; other settings say nothing about that
                body["paused"] = paused
                body.pop("problem", None)
            self._write(body)

    def _write(self, body: dict[str, Any], in_memory: bool = False) -> None:
        text = json.dumps({**body, CHECK: _checksum(body)}, indent=1) + "\n"
        if self._path and not in_memory:
            try:
                with _kept(self._path, self._kept_as):
                    write_atomically(self._path, text.encode(), mode=0o600)
            except OSError as error:
                reason = error.strerror or error
                raise StorageError(f"{self._path}: cannot be written: {reason}") from error
            self._kept_as = None
        self._body = body

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return _checked(json.loads(read_file(path, MAX_BYTES)))
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._kept_as = path.with_name(f"{path.name}.unreadable")
            remedy = (
                f"mend that and restart, or send resume (the file is kept as {self._kept_as.name})"
            )
            problem = f"{path.name} cannot be read ({error.strerror}): paused; {remedy}"
        except (ValueError, RecursionError) as error:
            self._kept_as = path.with_name(f"{path.name}.damaged")
            problem = f"{path.name} is damaged ({error}): paused; send resume"
        return {"paused": True, "problem": problem}


def look_at(path: Path, settings: Settings) -> tuple[str, str]:
    """What is remembered, for a command that changes and logs nothing.

    Args:
        path: of the file.
        settings: as file and environment give them.

    Returns:
        What is wrong with it, and what it sets; both may be empty. With a file that is somebody
        else's nothing is wrong.
    """
    state = StateFile(path, is_look=True)
    if state.problem and not _is_ours(path):
        return "", f"not known: {path} is not yours to read; run the command with sudo"
    set_by_it = state.describe(settings)
    return state.problem or "", f"{set_by_it}; stands above the settings" if set_by_it else ""


def _is_ours(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.geteuid() or os.access(path, os.R_OK)
    except OSError:
        return False


@contextmanager
def _kept(path: Path, aside: Path | None) -> Iterator[None]:
    """Keeps a file under another name, too, while a new one takes its place.

    Both names at once where the file system has links: after a power cut one of the two is there.

    Raises:
        OSError: it cannot be kept; it stays as it is, as it does when the new one fails.
    """
    moved = False
    if aside and os.path.lexists(path):
        with suppress(OSError):
            aside.unlink()  # of an earlier time
        try:
            os.link(path, aside, follow_symlinks=False)
        except OSError:  # a folder, or somebody else's
            path.replace(aside)
            moved = True
        log.warning("%s: kept as %s", path, aside.name)
    try:
        yield
    except OSError:
        if aside and moved:
            aside.replace(path)
        raise


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
