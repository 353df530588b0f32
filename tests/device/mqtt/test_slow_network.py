"""A slow network is slow, and no reason to give a connection up."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from device.mqtt import client as client_module
from device.mqtt.access import Backoff, BrokerAccess
from device.mqtt.client import MqttClient
from tests.device.mqtt.appliance import wait_until
from tests.strict_broker import StrictBroker

connect_socket = socket.create_connection


@pytest.mark.parametrize(
    ("answer_within_s", "keepalive_s"), [(1.0, 30), (10.0, 1)], ids=["answer", "keep-alive"]
)
def test_what_the_way_to_the_broker_takes_is_not_the_broker_s_time(
    monkeypatch: pytest.MonkeyPatch, answer_within_s: float, keepalive_s: int
) -> None:
    def take_long(*args: Any, **options: Any) -> socket.socket:
        threading.Event().wait(1.5)  # a dead address first, a slow resolver
        return connect_socket(*args, **options)

    monkeypatch.setattr(client_module, "ANSWER_WITHIN_S", answer_within_s)
    monkeypatch.setattr(socket, "create_connection", take_long)
    with StrictBroker() as broker:
        access = BrokerAccess("127.0.0.1", broker.port, "mien-x", keepalive_s=keepalive_s)
        client = MqttClient(access, backoff=Backoff(0.05, 0.1)).start()
        wait_until(lambda: client.connected, 20.0)
        assert len(broker.connects) == 1
        client.close()
