"""What commands do with a client: ask once, say something and learn what became of it, end."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from device.cli.discovery import retract
from device.errors import BrokerError
from device.mqtt.access import Backoff, BrokerAccess
from device.mqtt.client import MqttClient
from device.mqtt.one_shot import client_for, probe
from device.mqtt.packets import MAX_WAITING, Message
from tests.broker import Mosquitto, TestBroker, free_port, start_broker
from tests.device.mqtt.appliance import wait_until
from tests.strict_broker import NOT_AUTHORIZED, StrictBroker
from tests.subscriber import Subscriber


def access_to(port: int, protocol: str = "auto") -> BrokerAccess:
    return BrokerAccess("127.0.0.1", port, "mien-x", protocol=protocol)


def test_the_probe_is_content_with_a_broker_that_takes_us(mosquitto: TestBroker) -> None:
    probe(access_to(mosquitto.port))


def test_the_probe_says_that_nothing_listens() -> None:
    with pytest.raises(BrokerError, match="nothing listens"):
        probe(access_to(free_port()))


def test_the_probe_says_that_the_broker_refuses(tmp_path: Path) -> None:
    with start_broker(tmp_path, "allow_anonymous false") as broker:
        if not isinstance(broker, Mosquitto):
            pytest.skip("mosquitto is not installed; see tests/install-mosquitto.sh")
        with pytest.raises(BrokerError, match=r"mqtt\.username"):
            probe(access_to(broker.port))


def test_the_probe_gives_up_on_a_broker_that_is_mute() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(BrokerError, match="did not answer within"):
            probe(access_to(port), within_s=0.2)


def test_the_probe_says_that_the_connection_was_closed() -> None:
    with StrictBroker(versions=()) as broker, pytest.raises(BrokerError, match="closed or mute"):
        probe(access_to(broker.port))


def test_the_probe_takes_a_broker_that_speaks_3_1_1_only() -> None:
    with StrictBroker(versions=(4,)) as broker:
        probe(access_to(broker.port))
        assert broker.connects == [5, 4]
        with pytest.raises(BrokerError, match=r"mqtt\.protocol"):
            probe(access_to(broker.port, "5"))


def test_a_publication_tells_that_it_waits_is_acknowledged_or_refused() -> None:
    with StrictBroker(refuse=lambda topic: NOT_AUTHORIZED * (topic == "b")) as broker:
        client = MqttClient(access_to(broker.port))
        said = [client.publish(Message(topic, b"")) for topic in ("a", "b", "c/#")]
        assert not any(each.done for each in said)
        client.start()
        wait_until(lambda: all(each.done for each in said))
        assert [each.acknowledged for each in said] == [True, False, False]
        assert [each.refused for each in said] == [
            None,
            "Not authorized; see its ACL",
            "nobody may publish to such a topic",
        ]
        client.close()


def test_the_oldest_of_too_many_publications_are_forgotten() -> None:
    client = MqttClient(access_to(1))
    said = [client.publish(Message("a", b"")) for _ in range(MAX_WAITING + 1)]
    assert [each.refused is None for each in said] == [False] + [True] * MAX_WAITING
    client.close()


def test_what_was_in_flight_goes_again_over_the_next_connection() -> None:
    with StrictBroker(ack_delay_s=30.0) as broker:
        client = MqttClient(access_to(broker.port), backoff=Backoff(0.05, 0.1)).start()
        said = client.publish(Message("a", b"1"))
        wait_until(lambda: broker.published)
        broker.ack_delay_s = 0.0
        broker.cut_off()
        wait_until(lambda: said.acknowledged)
        assert [each.topic for each in broker.published] == ["a", "a"]
        client.close()


def test_a_subscription_that_is_made_later_hears(mosquitto: TestBroker) -> None:
    heard: list[bytes] = []
    with (
        Subscriber(mosquitto.port) as other,
        client_for(access_to(mosquitto.port), "test") as client,
    ):
        client.wait_for(lambda: client.connected, 30.0)
        wanted = client.subscribe("a/+", lambda _, payload, __: heard.append(payload))
        client.wait_for(lambda: wanted.answered, 30.0)
        other.publish("a/b", b"1")
        other.publish("b", b"2")
        other.publish("a/c", b"3")
        client.wait_for(lambda: len(heard) == 2, 30.0)
    assert heard == [b"1", b"3"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_topic_that_may_not_be_emptied_is_not_reported_as_removed(
    tmp_path: Path, protocol: str
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read #\n")
    acl.chmod(0o644)
    with start_broker(tmp_path) as broker:
        if not isinstance(broker, Mosquitto):
            pytest.skip("mosquitto is not installed; see tests/install-mosquitto.sh")
        config = broker._config
        config.write_text(
            config.read_text() + f"persistence true\npersistence_location {tmp_path}/\nuser root\n"
        )
        broker.kill()
        broker.start()
        with Subscriber(broker.port, "other") as other:
            other.publish("t", b"still here", retain=True)
        broker.end()
        config.write_text(config.read_text() + f"acl_file {acl}\n")
        broker.start()
        with pytest.raises(BrokerError, match="refuses t"):
            retract(access_to(broker.port, protocol), "t")


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_a_topic_that_may_not_be_looked_at_is_not_reported_as_removed(protocol: str) -> None:
    with (
        StrictBroker(denies_subscriptions=True, versions=(4,)) as broker,
        pytest.raises(BrokerError, match="denies the subscription to t"),
    ):
        retract(access_to(broker.port, protocol), "t")


def test_over_mqtt_5_the_acknowledgement_is_enough() -> None:
    with StrictBroker(denies_subscriptions=True) as broker:
        retract(access_to(broker.port, "5"), "t")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_topic_that_may_be_emptied_is_gone(mosquitto: TestBroker, protocol: str) -> None:
    if not isinstance(mosquitto, Mosquitto) and protocol == "5":
        pytest.skip("the embedded broker speaks 3.1.1")
    with Subscriber(mosquitto.port, "other") as other:
        other.publish("t", b"here", retain=True)
    retract(access_to(mosquitto.port, protocol), "t")
    with Subscriber(mosquitto.port, "#") as later:
        later.publish("end", b"")
        later.wait_for("end")
        assert [seen.topic for seen in later.seen()] == ["end"]
