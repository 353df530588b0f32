"""A publisher as the daemon has it, quick to reconnect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from device.mqtt.access import Backoff, BrokerAccess
from device.mqtt.identity import Identity, Topics
from device.mqtt.publisher import MqttPublisher
from tests.subscriber import LONG_S

DEVICE = "0123456789ab"


class Gate:
    """Where to find the broker, told only while open: lets a test's subscriber come back first."""

    def __init__(self, port: int) -> None:
        self._access = BrokerAccess("127.0.0.1", port, f"mien-{DEVICE}")
        self._open = threading.Event()
        self._open.set()

    def __call__(self) -> BrokerAccess:
        self._open.wait(30.0)
        return self._access

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()


@contextmanager
def running_publisher(
    port: int, device_id: str = DEVICE, client_id: str = "", **options: Any
) -> Iterator[MqttPublisher]:
    """A started publisher; ``prepare`` gets it before the start, the rest goes to the constructor."""
    access = BrokerAccess("127.0.0.1", port, client_id or f"mien-{device_id}")
    prepare = options.pop("prepare", None)
    publisher = MqttPublisher(
        options.pop("access", access),
        Topics("mien", device_id),
        Identity(device_id),
        backoff=Backoff(0.05, 0.5),
        **options,
    )
    if prepare:
        prepare(publisher)
    publisher.start()
    try:
        yield publisher
    finally:
        with pytest.MonkeyPatch.context() as patch:  # its last words are heard on a busy machine
            patch.setattr("device.mqtt.client.LEAVE_WITHIN_S", LONG_S)
            publisher.close()


def wait_until(check: Callable[[], object], within_s: float = LONG_S, what: str = "") -> None:
    """Waits until the check is true; a machine may be busy, and only a failing test waits long."""
    by_s = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < by_s, f"not within {within_s} s: {what or check}"
        time.sleep(0.005)
