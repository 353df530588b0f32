"""The port of the broker, as the client takes it and as the page names it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device.daemon.build_web import about
from device.mqtt.access import broker_access
from device.settings import Settings
from device.settings.tree import Mqtt


@pytest.mark.parametrize(
    ("port", "tls", "expected"), [(0, False, 1883), (0, True, 8883), (8884, True, 8884)]
)
def test_the_page_names_the_port_that_is_connected_to(port: int, tls: bool, expected: int) -> None:
    mqtt = Mqtt(host="broker.lan", port=port, tls=tls)
    settings = replace(Settings(), mqtt=mqtt)
    assert broker_access(mqtt, "x").port == expected
    assert about(settings, {}, "notice", remembers=True)["broker"] == f"broker.lan:{expected}"
