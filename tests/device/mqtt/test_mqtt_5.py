"""What MQTT 5 adds to messages: content types, and requests that say where the answer goes."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from device.mqtt.access import BrokerAccess
from device.mqtt.command_queue import CommandQueue
from device.mqtt.publisher import MqttPublisher
from tests.broker import MOSQUITTO, Mosquitto
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.scenes import change
from tests.subscriber import LONG_S


@contextmanager
def listener(port: int, topic: str) -> Iterator[tuple[paho.Client, queue.Queue[paho.MQTTMessage]]]:
    """A client that speaks MQTT 5, and what it hears."""
    heard: queue.Queue[paho.MQTTMessage] = queue.Queue()
    subscribed: queue.Queue[None] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _c, _d, message: heard.put(message)
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.connect("127.0.0.1", port)
    client.subscribe(topic, 1)
    client.loop_start()
    subscribed.get(timeout=LONG_S)
    try:
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()
        client.on_message = client.on_subscribe = None


def test_json_is_published_with_its_content_type(real_mosquitto: Mosquitto) -> None:
    port = real_mosquitto.port
    with listener(port, "mien/+/event") as (_, heard), running_publisher(port) as publisher:
        publisher.publish(change())
        assert heard.get(timeout=LONG_S).properties.ContentType == "application/json"


@pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")
def test_an_answer_that_may_not_go_where_it_was_wanted_is_no_problem_of_the_device(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite mien/{DEVICE}/#\n")
    acl.chmod(0o644)
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {acl}\nuser root")

    def prepare(publisher: MqttPublisher) -> None:
        commands = CommandQueue(publisher.respond)
        publisher.listen(publisher.topics("command/+"), commands.receive, is_request=True)

    broker.start()
    try:
        with (
            caplog.at_level(logging.WARNING, "mien.mqtt"),
            listener(broker.port, f"mien/{DEVICE}/#") as (client, heard),
            running_publisher(broker.port, prepare=prepare) as publisher,
        ):
            while heard.get(timeout=LONG_S).payload != b"online":
                pass
            properties = Properties(PacketTypes.PUBLISH)
            for number in range(3):
                properties.ResponseTopic = f"client/{number}/answers"
                client.publish(f"mien/{DEVICE}/command/dance", b"{}", 1, properties=properties)
            wait_until(lambda: publisher.num_refused == 3)
            assert publisher.problem is None
    finally:
        broker.kill()
    (line,) = [r.message for r in caplog.records if "refuses a publication" in r.message]
    assert "client/0/answers: Not authorized" in line


def test_over_3_1_1_there_are_no_properties(real_mosquitto: Mosquitto) -> None:
    port = real_mosquitto.port
    access = BrokerAccess("127.0.0.1", port, "mien-x", protocol="3.1.1")
    with (
        listener(port, "mien/+/event") as (_, heard),
        running_publisher(port, access=access) as publisher,
    ):
        publisher.publish(change())
        assert not hasattr(heard.get(timeout=LONG_S).properties, "ContentType")


def test_a_request_is_answered_where_it_says_with_its_correlation_data(
    real_mosquitto: Mosquitto,
) -> None:
    port, topic = real_mosquitto.port, f"mien/{DEVICE}/command/dance"

    def prepare(publisher: MqttPublisher) -> None:
        commands = CommandQueue(publisher.respond)
        publisher.listen(publisher.topics("command/+"), commands.receive, is_request=True)

    with (
        listener(port, "#") as (client, heard),
        running_publisher(port, prepare=prepare),
    ):
        while heard.get(timeout=LONG_S).payload != b"online":
            pass
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = "my/answers", b"7"
        client.publish(topic, b"{}", 1, properties=properties)
        answer = heard.get(timeout=LONG_S)
        while answer.topic == topic:
            answer = heard.get(timeout=LONG_S)
    assert (answer.topic, answer.properties.CorrelationData) == ("my/answers", b"7")
    assert b"unknown command" in answer.payload
