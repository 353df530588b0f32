"""Brokers for tests: they start, get killed and start again on the same port."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from device.mqtt.embedded_broker import EmbeddedBroker

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class TestBroker(Protocol):
    """What the tests do with a broker."""

    port: int

    def start(self) -> None:
        """Starts, or starts again after ``kill``."""

    def kill(self) -> None:
        """Ends it as a power cut would."""


TestBroker.__test__ = False  # type: ignore[attr-defined]  # pytest: no class of tests


def free_port() -> int:
    """A loopback port nobody listens on now.

    Below the ephemeral ports: a client that tries one of those again and again while nobody
    listens is one day given it as its own port, and then connects to itself. Drawn by the system:
    what a test has seeded would give two workers the same ports.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no free port")


def wait_for_port(port: int, within_s: float = 30.0) -> None:
    """Returns when something listens there."""
    by_s = time.monotonic() + within_s
    while not _listens(port):
        assert time.monotonic() < by_s, f"nothing listens on port {port}"
        time.sleep(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto:
    """A mosquitto process.

    Args:
        folder: for its configuration and log.
        options: more lines of configuration; ``{port}`` stands for the port.
    """

    def __init__(self, folder: Path, options: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\n{options}\n")
        self.log_path = folder / f"mosquitto-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        with self.log_path.open("ab") as log:
            command = [MOSQUITTO, "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self.port)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """Ends it as it wants to end, with what it keeps on disk."""
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def cpu_s(self) -> float:
        """CPU time it has used."""
        assert self._process
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory, 10^6 bytes."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6


class Embedded:
    """amqtt, where there is no mosquitto."""

    def __init__(self) -> None:
        self.port = free_port()
        self._broker: EmbeddedBroker | None = None

    def start(self) -> None:
        self._broker = EmbeddedBroker(self.port)
        assert self._broker.port == self.port

    def kill(self) -> None:
        if self._broker:
            self._broker.close()
            self._broker = None


@contextmanager
def start_broker(folder: Path, options: str = "allow_anonymous true") -> Iterator[TestBroker]:
    """A running broker that ends with the block."""
    broker: TestBroker = Mosquitto(folder, options) if MOSQUITTO else Embedded()
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
