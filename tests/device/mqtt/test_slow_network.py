"""A slow network is slow, and no reason to give a connection up."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from device.mqtt import client as client_module
from device.mqtt import unsent
from device.mqtt.access import Backoff, BrokerAccess
from device.mqtt.client import MqttClient
from device.mqtt.packets import MAX_LOST, MAX_WAITING_BYTES, Message, Publication, WaitingLine
from tests.device.mqtt.appliance import running_publisher, wait_until
from tests.scenes import change
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


class SlowLink:
    """Carries bytes to a broker, some 400 kB a second, and answers back at once."""

    def __init__(self, port: int) -> None:
        self._to, self._server = port, socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen()
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = connect_socket(("127.0.0.1", self._to))
                for source, sink, pause_s in ((near, far, 0.02), (far, near, 0.0)):
                    args = (source, sink, pause_s)
                    threading.Thread(target=self._carry, args=args, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, pause_s: float) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(8192):
                threading.Event().wait(pause_s)
                sink.sendall(data)


def test_what_takes_longer_to_send_than_an_answer_may_take_arrives_once() -> None:
    payload = bytes(2_500_000)
    with StrictBroker() as broker:
        link = SlowLink(broker.port)
        access = BrokerAccess("127.0.0.1", link.port, "x", keepalive_s=2, ack_within_s=1.5)
        client = MqttClient(access, backoff=Backoff(0.05, 0.1)).start()
        said = client.publish(Message("picture", payload))
        wait_until(lambda: said.done)
        client.close()
        link.close()
    assert said.acknowledged
    assert [len(each.payload) for each in broker.published] == [len(payload)]
    assert len(broker.connects) == 1


def test_what_no_connection_can_carry_is_given_up_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with StrictBroker(ack_delay_s=300.0) as broker:
        access = BrokerAccess("127.0.0.1", broker.port, "mien-x", ack_within_s=0.2)
        client = MqttClient(access, backoff=Backoff(0.05, 0.1)).start()
        said = client.publish(Message("a", b"1"))
        wait_until(lambda: said.done)
        broker.ack_delay_s = 0.0
        later = client.publish(Message("b", b"2"))
        wait_until(lambda: later.acknowledged)
        client.close()
    assert not said.acknowledged
    assert broker.topics() == ["a"] * MAX_LOST + ["b"]
    (line,) = [r.message for r in caplog.records if "given up" in r.message]
    assert line == "a publication to 'a' is given up: 3 connections were lost with it"


def test_pictures_that_wait_are_bounded_in_bytes() -> None:
    line = WaitingLine(lambda: True)
    pictures = [Publication(Message("p", bytes(MAX_WAITING_BYTES // 4))) for _ in range(6)]
    for picture in pictures:
        line.add(picture)
    assert [picture.done for picture in pictures] == [True, True] + [False] * 4
    line.add(large := Publication(Message("p", bytes(MAX_WAITING_BYTES + 1))))
    assert line.take(10) == [large]


def test_what_is_for_now_alone_does_not_outlive_the_connection() -> None:
    line = WaitingLine(lambda: True)
    flying, waiting, answer = (
        Publication(Message("p", b"", momentary=is_now)) for is_now in (True, True, False)
    )
    line.add(waiting)
    line.add(answer)
    assert line.lose([flying]) == [flying, waiting]
    assert waiting.refused == "the connection was lost"
    assert line.take(10) == [answer]
    WaitingLine(lambda: False).add(late := Publication(Message("p", b"", momentary=True)))
    assert late.done


def test_an_event_that_waits_behind_a_picture_on_a_slow_network_is_historical(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unsent, "STALLED_AFTER_S", 0.5)
    with StrictBroker() as broker:
        link = SlowLink(broker.port)
        with running_publisher(link.port) as publisher:
            wait_until(lambda: publisher.connected and "availability" in broker.topics())
            publisher.say_picture(bytes(1_500_000))
            wait_until(lambda: not publisher._client._waiting)
            publisher.publish(change())
            wait_until(lambda: publisher.outbox.depth == 0)
        link.close()
    (event,) = (each for each in broker.published if each.topic.endswith("/event"))
    assert b'"historical":true' in event.payload
