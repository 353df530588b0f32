"""Notices another appliance that uses our device id.

Both publish to the same ``health`` topic. Once our own report has come back to us, one with
another ``boot_id`` can only be a twin's: what an earlier start of ours left there came before.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from device.mqtt.identity import Identity

log = logging.getLogger("mien.mqtt")

REMEMBER_S = 600.0  # after the twin's last report


class TwinWatch:
    """Listens on the own ``health`` topic.

    Args:
        identity: ours.
        clock: monotonic.
    """

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.monotonic) -> None:
        self._identity, self._clock = identity, clock
        self._seen_own = self._suspected = False
        self._seen_twin_s: float | None = None

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """A health report under our id."""
        try:
            boot_id = json.loads(payload)["boot_id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if boot_id == self._identity.boot_id:
            self._seen_own = True
        elif self._seen_own and retained and not self._suspected:
            self._suspected = True  # once it may be an old one of ours that a broker has restored
        elif self._seen_own:
            if self.problem is None:
                log.warning("%s", self._text)
            self._seen_twin_s = self._clock()

    @property
    def problem(self) -> str | None:
        """The twin in one line, while it was heard of lately."""
        heard_s = self._seen_twin_s
        if heard_s is None or self._clock() - heard_s > REMEMBER_S:
            return None
        return self._text

    @property
    def _text(self) -> str:
        return (
            f"another appliance publishes as {self._identity.device_id!r}: "
            "give each its own device.id (a copied image shares its machine id)"
        )
