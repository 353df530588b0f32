"""A client for commands that end: it waits, and says with an error what is wrong."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.client import MqttClient


class OneShotClient(MqttClient):
    """A client that somebody waits for."""

    def wait_for(self, check: Callable[[], object], within_s: float) -> None:
        """Waits until the check is true.

        Raises:
            BrokerError: the broker cannot be reached, or it takes too long.
        """
        by_s = time.monotonic() + within_s
        while not check():
            if self.failed:
                raise BrokerError(self.problem or "no connection")
            if time.monotonic() > by_s:
                raise BrokerError(f"the broker did not answer within {within_s:g} s")
            time.sleep(0.02)


@contextmanager
def client_for(access: BrokerAccess, command: str) -> Iterator[OneShotClient]:
    """A quiet client with an id of its own, named after the command."""
    own = replace(access, client_id=f"mien-{command}-{uuid.uuid4().hex[:8]}")
    client = OneShotClient(own, quiet=True)
    client.start()
    try:
        yield client
    finally:
        client.close()


def probe(access: BrokerAccess, within_s: float = 6.0) -> None:
    """Asks once whether a broker takes us, for ``mien doctor``.

    Raises:
        BrokerError: it cannot be reached, refuses us, or does not answer in time.
    """
    with client_for(access, "probe") as client:
        client.wait_for(lambda: client.connected, within_s)
