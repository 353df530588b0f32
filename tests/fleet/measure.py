"""One run: a broker, a subscriber in a process of its own, the fleet, and the figures."""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import Mosquitto
from tests.fleet.devices import Fleet

SETTLE_S = 30.0  # at most, for what is still under way at the end
BROKER = "allow_anonymous true\nmax_queued_messages 0\nlog_type error\nlog_type warning"


@dataclass
class Figures:
    """What a run gave.

    Attributes:
        num_devices: connected at once.
        rate_hz: events a second and device.
        seconds: how long.
        sent: events.
        received: events the subscriber saw, counted once each.
        lost: sent, never seen.
        p50_ms, p99_ms, max_ms: from the device's publish to the subscriber's callback.
        bytes_an_event: payload.
        broker_cpu: share of one core that the broker took.
        broker_memory_mb: its resident memory at the end, 10^6 bytes.
    """

    num_devices: int
    rate_hz: float
    seconds: float
    sent: int
    received: int
    lost: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    bytes_an_event: int
    broker_cpu: float
    broker_memory_mb: float

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def measure(num_devices: int, seconds: float, rate_hz: float, folder: Path) -> Figures:
    """Runs the fleet against a fresh mosquitto."""
    _allow_files(num_devices + 200)
    broker = Mosquitto(folder, BROKER)
    broker.start()
    here, there = multiprocessing.get_context("spawn").Pipe()
    subscriber = multiprocessing.get_context("spawn").Process(
        target=_subscribe, args=(broker.port, there), daemon=True
    )
    subscriber.start()
    try:
        assert here.recv() == "subscribed"
        fleet = Fleet(num_devices, broker.port)
        sent_before = sum(device.sent for device in fleet.devices)
        cpu_before_s, start_s = broker.cpu_s(), time.monotonic()
        fleet.run(seconds, rate_hz)
        took_s = time.monotonic() - start_s
        cpu = (broker.cpu_s() - cpu_before_s) / took_s
        fleet.serve_for(SETTLE_S)
        sent = sum(device.sent for device in fleet.devices) - sent_before
        here.send(sent)
        received, times_ms, size = here.recv()
        fleet.close()
        return Figures(
            num_devices,
            rate_hz,
            round(took_s, 1),
            sent,
            received,
            sent - received,
            round(float(np.percentile(times_ms, 50)), 2),
            round(float(np.percentile(times_ms, 99)), 2),
            round(float(np.max(times_ms)), 2),
            size,
            round(cpu, 3),
            round(broker.memory_mb(), 1),
        )
    finally:
        subscriber.terminate()
        subscriber.join()
        broker.kill()


def _subscribe(port: int, pipe: Connection) -> None:
    """Counts each event once, by device and seq, and times it."""
    seen: set[tuple[str, int]] = set()
    times_ms: list[float] = []
    sizes: list[int] = []

    def on_message(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        now_s = time.monotonic()
        body = json.loads(message.payload)
        key = (body["device_id"], body["seq"])
        if key not in seen:
            seen.add(key)
            times_ms.append((now_s - body["sent_s"]) * 1e3)
            sizes.append(len(message.payload))

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.on_subscribe = lambda *_: pipe.send("subscribed")
    client.connect("127.0.0.1", port)
    client.subscribe("mien/+/event", 1)
    client.loop_start()
    expected = pipe.recv()
    until_s = time.monotonic() + SETTLE_S
    while len(seen) < expected and time.monotonic() < until_s:
        time.sleep(0.05)
    pipe.send((len(seen), times_ms, round(float(np.mean(sizes)))))
    client.loop_stop()


def _allow_files(count: int) -> None:
    """As many open connections as the fleet needs, where the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
