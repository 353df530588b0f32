"""N devices in one process: real clients, real payloads, no cameras."""

from __future__ import annotations

import selectors
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device.mqtt.identity import Identity, Topics
from device.mqtt.payloads import Payloads, WallClock, encode
from tests.scenes import change

TICK_S = 0.002
MISC_EVERY_S = 1.0


class SimulatedDevice:
    """One device's connection: announces itself, then events at QoS 1.

    Args:
        number: makes its id.
        port: of the broker on loopback.
    """

    def __init__(self, number: int, port: int) -> None:
        device_id = f"sim{number:06d}"
        self._topics = Topics("mien", device_id)
        self._payloads = Payloads(Identity(device_id), WallClock())
        self.sent = self.acknowledged = 0
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"mien-{device_id}",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.will_set(self._topics("availability"), b"offline", 1, True)
        self.client.on_publish = self._on_publish
        self.client.connect("127.0.0.1", port, 60)

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def announce(self) -> None:
        """Its birth."""
        self._publish("availability", b"online", retain=True)

    def happen(self) -> None:
        """One event, now."""
        payload = self._payloads.event(change())
        payload["sent_s"] = time.monotonic()  # for the end-to-end time; a subscriber ignores it
        self._publish("event", encode(payload))

    def _publish(self, name: str, payload: bytes, retain: bool = False) -> None:
        self.client.publish(self._topics(name), payload, 1, retain)
        self.sent += 1


class Fleet:
    """Drives all devices from one selector.

    Args:
        count: devices.
        port: of the broker on loopback.
    """

    def __init__(self, count: int, port: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.devices: list[SimulatedDevice] = []
        for number in range(count):
            device = SimulatedDevice(number, port)
            self.devices.append(device)
            stream = device.client.socket()
            assert stream is not None
            self._selector.register(stream, selectors.EVENT_READ, device.client)
            self._serve(0.0)
        self.serve_for(1.0)
        for device in self.devices:
            device.announce()
            self._serve(0.0)

    def run(self, seconds: float, rate_hz: float) -> None:
        """Every device has an event each ``1 / rate_hz`` s, evenly spread over all devices."""
        gap_s = 1.0 / (rate_hz * len(self.devices))
        start_s = time.monotonic()
        happened = 0
        while (passed_s := time.monotonic() - start_s) < seconds:
            while happened * gap_s <= passed_s:
                self.devices[happened % len(self.devices)].happen()
                happened += 1
            self._serve(TICK_S)

    def serve_for(self, seconds: float) -> None:
        """Lets acknowledgements come in."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and any(d.acknowledged < d.sent for d in self.devices):
            self._serve(TICK_S)
        self._serve(TICK_S)

    def close(self) -> None:
        """Disconnects all."""
        for device in self.devices:
            device.client.disconnect()
        self._selector.close()

    def _serve(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            client: paho.Client = key.data
            client.loop_read()
            if client.want_write():
                client.loop_write()
