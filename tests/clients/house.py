"""A broker, a Home Assistant and as many devices as a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.broker import Mosquitto
from tests.clients.home_assistant import HomeAssistant
from tests.device.daemon.process import DaemonProcess, running_daemon


@dataclass(frozen=True)
class House:
    """What a test gets.

    Args:
        folder: for the devices' files.
    """

    folder: Path
    broker: Mosquitto
    home: HomeAssistant

    @contextmanager
    def device(self, device_id: str, name: str, more: str = "") -> Iterator[DaemonProcess]:
        """A running daemon with the demo source."""
        folder = self.folder / device_id
        folder.mkdir(exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MIEN_DEVICE__NAME", name)
            with running_daemon(folder, self.broker.port, more, device_id) as daemon:
                yield daemon
