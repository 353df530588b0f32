"""The whole daemon as a process, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEVICE = "tested"

SETTINGS = """
[device]
id = "{device}"
state_dir = "{state}"
[camera]
source = "demo"
frame_rate_hz = 5  # a busy machine keeps this pace, too: else the small model takes over
[mqtt]
host = "127.0.0.1"
port = {port}
[display]
backend = "none"
[health]
interval_s = 1
"""


class DaemonProcess:
    """``python -m device run``.

    Args:
        folder: for the settings, the state and the log.
        port: of the broker.
        more: further settings (TOML).
        device_id: in its topics.
    """

    def __init__(self, folder: Path, port: int, more: str = "", device_id: str = DEVICE) -> None:
        self.state_dir = folder / "state"
        self._config = folder / "mien.toml"
        text = SETTINGS.format(device=device_id, state=self.state_dir, port=port)
        self._config.write_text(text + more)
        self.log_path = folder / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            command = [sys.executable, "-m", "device", "run", "--config", str(self._config)]
            environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit status."""
        assert self.process
        self.process.send_signal(number)
        status = self.process.wait(60.0)
        self.process = None
        return status

    def memory_mb(self) -> float:
        """Resident memory, 10^6 bytes."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6

    def listening(self) -> list[str]:
        """Local addresses on which the process (or a child) listens."""
        assert self.process
        inodes = {inode for pid in _family(self.process.pid) for inode in _sockets(pid)}
        found = []
        for table, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == listening and fields[9] in inodes:
                    found.append(f"{table} {fields[1]}")
        return found


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _sockets(pid: int) -> Iterator[str]:
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


@contextmanager
def running_daemon(
    folder: Path, port: int, more: str = "", device_id: str = DEVICE
) -> Iterator[DaemonProcess]:
    """A daemon that ends with the block."""
    daemon = DaemonProcess(folder, port, more, device_id)
    daemon.start()
    try:
        yield daemon
    except BaseException:
        print(daemon.log_path.read_text()[-4000:])  # pytest shows it with the failure
        raise
    finally:
        if daemon.process:
            daemon.process.kill()
            daemon.process.wait()
