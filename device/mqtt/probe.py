"""Asks once whether a broker takes us, for ``mien doctor``."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.connection import Connection
from device.mqtt.link import Link


class _Silent:
    """A session that says and hears nothing."""

    def connected(self, connection: Connection) -> None:
        pass

    def pump(self, connection: Connection) -> None:
        pass

    def acknowledged(self, number: int, refusal: str | None) -> None:
        pass

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        pass

    def denied(self, topics: Sequence[str]) -> None:
        pass

    def lost(self) -> None:
        pass

    def leaving(self, connection: Connection) -> None:
        pass


def probe(access: BrokerAccess, within_s: float = 6.0) -> None:
    """Returns when the broker has accepted us.

    Raises:
        BrokerError: it cannot be reached, refuses us, or does not answer in time.
    """
    link = Link(
        replace(access, client_id=f"mien-probe-{uuid.uuid4().hex[:8]}"), _Silent(), quiet=True
    )
    link.start()
    end_s = time.monotonic() + within_s
    try:
        while time.monotonic() < end_s and not link.failed:
            if link.connected:
                return
            time.sleep(0.02)
        raise BrokerError(link.problem or f"{access}: no answer within {within_s:g} s")
    finally:
        link.close()
