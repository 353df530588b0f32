"""Who this appliance is on the network, its topics, and whether another one uses the same id."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from device import __version__

log = logging.getLogger("mien.mqtt")

MACHINE_ID = Path("/etc/machine-id")
ID_DIGITS = 12
NAME_DIGITS = 4
REMEMBER_S = 600.0  # after the last report of another device


@dataclass(frozen=True)
class Topics:
    """The topics of one device: ``<prefix>/<device_id>/<name>``."""

    prefix: str
    device_id: str

    def __call__(self, name: str) -> str:
        """``state`` becomes ``mien/<device_id>/state``."""
        return f"{self.prefix}/{self.device_id}/{name}"


@dataclass(frozen=True)
class Identity:
    """What every payload carries.

    Attributes:
        device_id: unique among appliances, the same after every start.
        name: for people.
        boot_id: new at every start of the daemon; with ``seq`` it makes a payload unique.
        version: of the software.
    """

    device_id: str
    name: str = "Mien"
    boot_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    version: str = __version__


def make_device_id(configured: str = "", machine_id: Path = MACHINE_ID) -> str:
    """The configured id, else one derived from the machine id (else from the network card).

    systemd asks not to show the machine id itself, so a hash of it is used.
    """
    if configured:
        return configured
    source = ""
    with suppress(OSError, UnicodeDecodeError):
        source = machine_id.read_text(encoding="ascii").strip()
    source = source or f"{uuid.getnode():012x}"
    return hashlib.sha256(f"mien {source}".encode()).hexdigest()[:ID_DIGITS]


def find_support_url(package: str = "mien") -> str:
    """The project's page that the installed package names (``Project-URL``); empty for none."""
    with suppress(metadata.PackageNotFoundError):
        for entry in metadata.metadata(package).get_all("Project-URL") or ():
            url = str(entry).partition(",")[2].strip()
            if url.startswith(("http://", "https://")):
                return url
    return ""


def make_name(configured: str, device_id: str) -> str:
    """The configured name, else one that tells two fresh devices apart."""
    return configured or f"Mien {device_id[-NAME_DIGITS:]}"


class DuplicateIdWatch:
    """Notices another device with the same id: both publish to the same ``health`` topic.

    Once our own report has come back to us, one with another ``boot_id`` can only be another
    device's: what an earlier start of ours left there came before.

    Args:
        identity: ours.
        clock: monotonic.
    """

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.monotonic) -> None:
        self._boot_id, self._clock = identity.boot_id, clock
        self._seen_own = self._suspected = False
        self._seen_other_s = float("-inf")
        self._text = (
            f"another appliance publishes as {identity.device_id!r}: "
            "give each its own device.id (a copied image shares its machine id)"
        )

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """A health report under our id."""
        try:
            boot_id = json.loads(payload)["boot_id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if boot_id == self._boot_id:
            self._seen_own = True
        elif self._seen_own and retained and not self._suspected:
            self._suspected = True  # once it may be an old one of ours that a broker has restored
        elif self._seen_own:
            if self.problem is None:
                log.warning("%s", self._text)
            self._seen_other_s = self._clock()

    @property
    def problem(self) -> str | None:
        """The other device in one line, while it was heard of lately."""
        return self._text if self._clock() - self._seen_other_s <= REMEMBER_S else None
