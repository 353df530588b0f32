"""Who this appliance is on the network: a device id that lasts, a boot id that does not."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from device import __version__

MACHINE_ID = Path("/etc/machine-id")
ID_DIGITS = 12


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
    try:
        source = machine_id.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        source = ""
    if not source:
        source = f"{uuid.getnode():012x}"
    return hashlib.sha256(f"mien {source}".encode()).hexdigest()[:ID_DIGITS]
