"""What comes in is bounded: long messages, odd topics, and what is no MQTT."""

from __future__ import annotations

import resource

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from device.mqtt.access import BrokerAccess
from device.mqtt.bounded_client import MAX_INPUT_BYTES
from tests.broker import Mosquitto
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.device.mqtt.test_mqtt_5 import listener
from tests.strict_broker import StrictBroker
from tests.subscriber import Subscriber


def test_a_topic_that_is_not_utf_8_is_dropped_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd, good = b"\x30\x06\x00\x02\xff\xfe\x00x", b"\x30\x06\x00\x03a/b\x00"
    heard: list[str] = []
    with (
        StrictBroker(greeting=odd + good) as broker,
        running_publisher(
            broker.port,
            prepare=lambda publisher: publisher.listen(
                "a/b", lambda topic, *_: heard.append(topic)
            ),
        ) as publisher,
    ):
        wait_until(lambda: heard)
        assert publisher.connected
        assert publisher.num_dropped == 1
    assert (heard, len(broker.connects)) == (["a/b"], 1)
    assert "its topic is not UTF-8" in caplog.text


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_huge_message_is_not_read_into_memory(
    real_mosquitto: Mosquitto, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []
    port = real_mosquitto.port
    access = BrokerAccess("127.0.0.1", port, "mien-x", protocol=protocol)
    topic = f"mien/{DEVICE}/command/get"
    with (
        Subscriber(port, "nothing") as other,
        running_publisher(
            port,
            access=access,
            prepare=lambda publisher: publisher.listen(
                topic, lambda _, payload, __: heard.append(payload)
            ),
        ) as publisher,
    ):
        wait_until(lambda: publisher.connected)
        huge = b"x" * 150_000_000
        other.publish(topic, b"before")
        wait_until(lambda: heard)
        other.publish(topic, huge)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        other.publish(topic, b"after")
        wait_until(lambda: len(heard) == 2)
        assert publisher.connected
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < 20_000
    assert heard == [b"before", b"after"]
    if protocol == "3.1.1":  # over MQTT 5 the broker keeps it from us
        assert "bytes are too many" in caplog.text


def packet(payload: bytes, topic: bytes = b"a/b", qos: int = 1) -> bytes:
    """A PUBLISH of MQTT 3.1.1."""
    body = len(topic).to_bytes(2, "big") + topic + (b"\0\7" if qos else b"") + payload
    size, length = len(body), b""
    while True:
        size, low = size >> 7, size & 127
        length += bytes([low | (128 if size else 0)])
        if not size:
            return bytes([0x30 | qos << 1]) + length + body


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("length", [MAX_INPUT_BYTES + 1, 1_000_000])
def test_a_long_message_is_dropped_and_those_around_it_are_not(
    qos: int, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []
    stream = packet(b"before", qos=qos) + packet(b"x" * length, qos=qos) + packet(b"after", qos=qos)
    with (
        StrictBroker(versions=(4,), greeting=stream) as broker,
        running_publisher(
            broker.port,
            prepare=lambda publisher: publisher.listen(
                "a/b", lambda _, payload, __: heard.append(payload)
            ),
        ) as publisher,
    ):
        wait_until(lambda: len(heard) == 2)
        assert publisher.num_dropped == 1
    assert heard == [b"before", b"after"]
    assert "bytes are too many" in caplog.text
    assert broker.connects == [5, 4]


@pytest.mark.parametrize(
    "rubbish", [b"\x30\xff\xff\xff\xff\x7f", b"\x90\x80\x80\x80\x40" + b"x" * 1_000_000]
)
def test_what_is_no_mqtt_ends_the_connection(rubbish: bytes) -> None:
    with (
        StrictBroker(greeting=rubbish) as broker,
        running_publisher(
            broker.port, prepare=lambda publisher: publisher.listen("a", lambda *_: None)
        ) as publisher,
    ):
        wait_until(lambda: len(broker.connects) == 2)
        wait_until(lambda: publisher.connected)


@pytest.mark.parametrize("qos", [0, 1])
def test_a_retained_message_whose_properties_cannot_be_read_is_dropped_and_named(
    real_mosquitto: Mosquitto, qos: int, caplog: pytest.LogCaptureFixture
) -> None:
    port, heard = real_mosquitto.port, list[bytes]()
    odd = Properties(PacketTypes.PUBLISH)
    odd.UserProperty = ("note", "\ufeffhello")  # legal: MQTT 5, section 1.5.4
    with (
        Subscriber(port, "nothing") as other,
        listener(port, "nothing") as (sender, _),
    ):
        sender.publish(f"mien/{DEVICE}/command/get", b"{}", qos, True, odd).wait_for_publish(30.0)
        with running_publisher(
            port,
            prepare=lambda publisher: publisher.listen(
                f"mien/{DEVICE}/command/+", lambda _, payload, __: heard.append(payload)
            ),
        ) as publisher:
            wait_until(lambda: publisher.num_dropped)
            other.publish(f"mien/{DEVICE}/command/get", b"after")
            wait_until(lambda: heard)
            assert publisher.connected
            assert publisher.num_dropped == 1
    assert heard == [b"after"]
    assert real_mosquitto.log_path.read_text().count(f"as mien-{DEVICE} ") == 1
    assert "command/get' is dropped: cannot read it: [MQTT-1.5.4-3] U+FEFF" in caplog.text


def test_a_publish_that_is_cut_short_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    with (
        StrictBroker(greeting=b"\x32\x05\x00\x03a/b") as broker,
        running_publisher(
            broker.port, prepare=lambda publisher: publisher.listen("a", lambda *_: None)
        ) as publisher,
    ):
        wait_until(lambda: len(broker.connects) == 2)
        wait_until(lambda: publisher.connected)
    assert "a mistake of ours" not in caplog.text
