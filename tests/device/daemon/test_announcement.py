"""What Home Assistant and other listeners see of a device, on a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from device.__main__ import main
from device.cli.discovery import retract
from device.daemon.build_mqtt import announce
from device.daemon.state_file import StateFile
from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.mqtt.publisher import MqttPublisher
from device.settings import Settings
from device.vocabulary import Expression
from tests.broker import TestBroker, free_port, start_broker
from tests.device.daemon.test_health import make_report
from tests.device.mqtt.appliance import running_publisher, wait_until
from tests.scenes import ONLINE, scene_with
from tests.strict_broker import NOT_AUTHORIZED, QUOTA_EXCEEDED, StrictBroker
from tests.subscriber import Subscriber

ENABLED = Settings()
DISABLED = replace(Settings(), home_assistant=replace(Settings().home_assistant, enabled=False))


@contextmanager
def announced(
    port: int, folder: Path, settings: Settings = ENABLED, device_id: str = "one"
) -> Iterator[MqttPublisher]:
    """A device that only announces itself."""
    state = StateFile(folder / "settings.json")

    def prepare(publisher: MqttPublisher) -> None:
        announce(settings, state, publisher, delay_s=0.1)

    with running_publisher(port, device_id=device_id, prepare=prepare) as publisher:
        wait_until(lambda: publisher.connected)
        yield publisher


def test_the_problem_sensor_of_earlier_versions_is_taken_back_once(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    topic = "homeassistant/device/mien_one/config"
    (tmp_path / "settings.json").write_text(f'{{"announced": "{topic}"}}')
    for folder, times in ((tmp_path, 1), (tmp_path, 0), (tmp_path / "new", 0)):
        folder.mkdir(exist_ok=True)
        with Subscriber(mosquitto.port, "#") as subscriber:
            with announced(mosquitto.port, folder):
                pass
            subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"stopped")
            said = [m.json()["cmps"]["problem"] for m in subscriber.seen() if m.topic == topic]
        assert said.count({"p": "sensor"}) == times
        known = json.loads(known_devices(mosquitto.port)[topic])
        assert known["cmps"]["problem"]["p"] == "binary_sensor"  # what is retained


def known_devices(port: int) -> dict[str, bytes]:
    """What Home Assistant would find after a restart."""
    with Subscriber(port, "#") as subscriber:
        subscriber.publish("probe", b"")  # arrives after everything retained
        wait_until(lambda: any(m.topic == "probe" for m in subscriber.seen()))
        seen = [m for m in subscriber.seen() if m.topic.startswith("homeassistant/")]
        return {m.topic: m.payload for m in seen if m.payload}


def test_a_device_is_announced_and_retracted_when_that_is_turned_off(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    with announced(mosquitto.port, tmp_path):
        pass
    (topic,) = known_devices(mosquitto.port)
    assert json.loads(known_devices(mosquitto.port)[topic])["dev"]["identifiers"] == ["mien_one"]
    with announced(mosquitto.port, tmp_path, DISABLED):
        pass
    assert known_devices(mosquitto.port) == {}


def test_a_device_that_was_renamed_leaves_no_orphan(mosquitto: TestBroker, tmp_path: Path) -> None:
    with announced(mosquitto.port, tmp_path):
        pass
    with announced(mosquitto.port, tmp_path, device_id="two"):
        pass
    assert list(known_devices(mosquitto.port)) == ["homeassistant/device/mien_two/config"]


def start_in_vain(folder: Path, settings: Settings) -> None:
    """A start of the device while its broker is away."""
    state = StateFile(folder / "settings.json")

    def prepare(publisher: MqttPublisher) -> None:
        announce(settings, state, publisher)

    with running_publisher(free_port(), device_id="one", prepare=prepare) as publisher:
        wait_until(lambda: "nothing listens" in (publisher.problem or ""))


def test_what_could_not_be_retracted_is_retracted_at_a_later_start(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    with announced(mosquitto.port, tmp_path):
        pass
    (topic,) = known_devices(mosquitto.port)
    elsewhere = replace(ENABLED, home_assistant=replace(ENABLED.home_assistant, prefix="other"))
    for settings in (elsewhere, DISABLED):
        start_in_vain(tmp_path, settings)
    assert list(known_devices(mosquitto.port)) == [topic]
    assert set(StateFile(tmp_path / "settings.json").retracting) == {
        topic,
        "other/device/mien_one/config",
    }
    with announced(mosquitto.port, tmp_path, DISABLED):
        wait_until(lambda: not StateFile(tmp_path / "settings.json").retracting)
    assert known_devices(mosquitto.port) == {}


@pytest.mark.parametrize(("code", "is_kept"), [(NOT_AUTHORIZED, False), (QUOTA_EXCEEDED, True)])
def test_a_retraction_that_the_broker_refuses_is_kept_unless_it_is_for_ever(
    tmp_path: Path, code: int, is_kept: bool
) -> None:
    path = tmp_path / "settings.json"
    StateFile(path).remember_announced("homeassistant/device/x/config", 2)
    with (
        StrictBroker(refuse=lambda topic: code * topic.startswith("homeassistant")) as broker,
        announced(broker.port, tmp_path, DISABLED) as publisher,
    ):
        wait_until(lambda: publisher.num_refused > 0)
        wait_until(lambda: bool(StateFile(path).retracting) == is_kept)
    assert bool(StateFile(path).retracting) == is_kept


def test_what_is_announced_again_is_not_retracted(mosquitto: TestBroker, tmp_path: Path) -> None:
    with announced(mosquitto.port, tmp_path):
        pass
    start_in_vain(tmp_path, DISABLED)
    with announced(mosquitto.port, tmp_path):
        pass
    assert list(known_devices(mosquitto.port)) == ["homeassistant/device/mien_one/config"]
    assert StateFile(tmp_path / "settings.json").retracting == ()


def test_the_earlier_layout_is_remembered_until_it_is_taken_back(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    topic = "homeassistant/device/mien_one/config"
    (tmp_path / "settings.json").write_text(f'{{"announced": "{topic}"}}')
    start_in_vain(tmp_path, ENABLED)
    assert StateFile(tmp_path / "settings.json").layout == 1
    with Subscriber(mosquitto.port, "#") as subscriber:
        with announced(mosquitto.port, tmp_path):
            wait_until(lambda: StateFile(tmp_path / "settings.json").layout == 2)
        subscriber.wait_for("availability", lambda seen: seen[-1].payload == b"stopped")
        said = [m.json()["cmps"]["problem"]["p"] for m in subscriber.seen() if m.topic == topic]
    assert said == ["sensor", "binary_sensor"]


def test_a_device_that_never_was_announced_says_nothing_to_home_assistant(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    with Subscriber(mosquitto.port) as subscriber:
        with announced(mosquitto.port, tmp_path, DISABLED):
            subscriber.wait_for("availability")
        assert not [m for m in subscriber.seen() if m.topic.startswith("homeassistant")]


def test_home_assistants_birth_is_answered_with_everything(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    with Subscriber(mosquitto.port) as subscriber, announced(mosquitto.port, tmp_path):
        topic = "homeassistant/device/mien_one/config"

        def times_said() -> int:
            return len([m for m in subscriber.seen() if m.topic == topic])

        wait_until(lambda: times_said() == 1)
        subscriber.publish("homeassistant/status", b"online")
        wait_until(lambda: times_said() == 2)


def test_clear_makes_home_assistant_forget(
    mosquitto: TestBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with announced(mosquitto.port, tmp_path):
        pass
    config = tmp_path / "mien.toml"
    config.write_text(
        f'[device]\nid = "one"\n[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n'
    )
    assert main(["discovery", "--config", str(config), "clear"], {}) == 0
    assert "removed homeassistant/device/mien_one/config" in capsys.readouterr().out
    assert known_devices(mosquitto.port) == {}
    assert main(["discovery", "--config", str(config), "clear"], {}) == 0
    assert capsys.readouterr().out == "nothing was on homeassistant/device/mien_one/config\n"
    mosquitto.kill()
    assert main(["discovery", "--config", str(config), "clear"], {}) == 1
    assert main(["discovery", "clear"], {}) == 2


def test_a_retraction_is_said_once(mosquitto: TestBroker, tmp_path: Path) -> None:
    with announced(mosquitto.port, tmp_path):
        pass
    topic = "homeassistant/device/mien_one/config"
    with Subscriber(mosquitto.port) as subscriber:
        with announced(mosquitto.port, tmp_path, DISABLED) as publisher:
            wait_until(lambda: not known_devices(mosquitto.port))
            publisher.repeat()
            publisher.retain("camera", b"paused")  # goes out after what is repeated
            subscriber.wait_for("camera", lambda seen: seen[-1].payload == b"paused")
        said = [m for m in subscriber.seen() if m.topic == topic and not m.retained]
    assert [m.payload for m in said] == [b""]


def clear(port: int, folder: Path, *more: str) -> int:
    """``mien discovery clear`` for the device ``one``."""
    config = folder / "mien.toml"
    config.write_text(f'[device]\nid = "one"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n')
    return main(["discovery", "--config", str(config), "clear", *more], {})


def test_clear_says_that_a_device_that_runs_comes_back(
    mosquitto: TestBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with announced(mosquitto.port, tmp_path):
        wait_until(lambda: known_devices(mosquitto.port))
        assert clear(mosquitto.port, tmp_path) == 0
        assert "one runs and will announce itself again" in capsys.readouterr().err
        assert clear(mosquitto.port, tmp_path, "--all") == 2
        assert "stop it first" in capsys.readouterr().err
    assert clear(mosquitto.port, tmp_path) == 0
    assert capsys.readouterr().err == ""


def test_clear_all_leaves_nothing_of_a_retired_device(
    mosquitto: TestBroker, tmp_path: Path
) -> None:
    with announced(mosquitto.port, tmp_path) as publisher:
        publisher.show(scene_with(Expression.HAPPY), ONLINE)
        publisher.show_health(make_report(tmp_path))
    with announced(mosquitto.port, tmp_path / "two", device_id="two"):
        pass
    assert len(left_behind(mosquitto.port, "one")) == 5
    assert clear(mosquitto.port, tmp_path, "--all") == 0
    assert left_behind(mosquitto.port, "one") == []
    assert left_behind(mosquitto.port, "two")


def left_behind(port: int, device_id: str) -> list[str]:
    """Topics of which the broker keeps something."""
    with Subscriber(port, "#") as subscriber:
        subscriber.publish("probe", b"")  # arrives after everything retained
        wait_until(lambda: any(m.topic == "probe" for m in subscriber.seen()))
        return [m.topic for m in subscriber.seen() if device_id in m.topic and m.payload]


def test_nothing_can_be_retracted_where_no_broker_is() -> None:
    with pytest.raises(BrokerError, match="nothing listens"):
        retract(BrokerAccess("127.0.0.1", free_port(), "x"), "t")


def test_health_is_told_anew_when_the_broker_is_back_and_only_then(tmp_path: Path) -> None:
    told: list[str | None] = []
    with start_broker(tmp_path) as broker:

        def prepare(publisher: MqttPublisher) -> None:
            publisher.when_back(lambda: told.append(publisher.problem))

        with running_publisher(broker.port, prepare=prepare) as publisher:
            wait_until(lambda: publisher.connected)
            assert told == []
            broker.kill()
            wait_until(lambda: publisher.problem is not None)
            broker.start()
            wait_until(lambda: told == [None])
