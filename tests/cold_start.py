"""Measures the cold start: ``python -m tests.cold_start`` starts the demo daemon several times.

The time runs from the start of the process to the first ``event`` at a subscriber of the
embedded broker; memory is the daemon's resident size then.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import free_port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=5)
    args = parser.parse_args()
    times_s, sizes_mb = zip(*(one_start() for _ in range(args.starts)), strict=True)
    print(
        f"first event after {statistics.median(times_s):.2f} s (median of {args.starts} starts, "
        f"worst {max(times_s):.2f} s), {max(sizes_mb):.0f} MB resident"
    )
    return 0


def one_start(limit_s: float = 60.0) -> tuple[float, float]:
    """Seconds to the first event and resident MB of one daemon."""
    port = free_port()
    came = Event()
    with TemporaryDirectory() as folder:
        config = Path(folder) / "mien.toml"
        config.write_text(f'[camera]\nsource = "demo"\n[mqtt]\nport = {port}\n')
        start_s = time.monotonic()
        daemon = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MIEN_DEVICE__STATE_DIR": folder},
        )
        subscriber = Client(CallbackAPIVersion.VERSION2)
        subscriber.on_connect = lambda client, *_: client.subscribe("mien/+/event", qos=1)
        subscriber.on_message = lambda *_: came.set()
        try:
            connect(subscriber, port, start_s + limit_s)
            subscriber.loop_start()
            if not came.wait(limit_s):
                raise SystemExit(f"no event within {limit_s:g} s")
            took_s = time.monotonic() - start_s
            size_mb = resident_mb(daemon.pid)
        finally:
            subscriber.disconnect()
            subscriber.loop_stop()
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(10)
    return took_s, size_mb


def connect(client: Client, port: int, until_s: float) -> None:
    """Connects as soon as the embedded broker listens."""
    while True:
        try:
            client.connect("127.0.0.1", port)
            return
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.01)


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes)."""
    fields = Path(f"/proc/{pid}/status").read_text().split()
    return int(fields[fields.index("VmRSS:") + 1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
