"""What Home Assistant makes of the announcement, and of a device that goes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial

import pytest

from tests.clients.house import House
from tests.subscriber import Subscriber

pytestmark = pytest.mark.slow
SEEN = {
    "binary_sensor.{}_face_present",
    "sensor.{}_expression",
    "sensor.{}_faces",
    "sensor.{}_probability",
}
ENTITIES = SEEN | {
    "event.{}_expression_event",
    "binary_sensor.{}_problem",
    "button.{}_calibrate",
    "button.{}_identify",
    "button.{}_restart",
    "number.{}_dwell",
    "number.{}_threshold",
    "sensor.{}_frame_rate",
    "sensor.{}_inference_time",
    "sensor.{}_model",
    "switch.{}_recognition",
}
NAMES = ("kuche", "kukhnia")  # as Home Assistant spells Küche and Кухня
SOME_BOARDS = "sensor.{}_temperature"  # only where there is a thermometer


def named(entities: set[str], name: str) -> set[str]:
    return {entity.format(name) for entity in entities}


def found(house: House, name: str) -> set[str]:
    return set(house.home.states(name)) - {SOME_BOARDS.format(name)}


def unavailable(house: House, name: str) -> set[str]:
    states = house.home.states(name)
    return {i for i, state in states.items() if state == "unavailable"} & named(ENTITIES, name)


def is_complete(house: House, name: str) -> bool:
    return found(house, name) == named(ENTITIES, name) and not unavailable(house, name)


def test_two_devices_appear_with_every_entity_in_any_alphabet(house: House) -> None:
    home = house.home
    with house.device("kitchen", "Küche"), house.device("second", "Кухня"):
        for name in NAMES:
            home.wait_for(f"sensor.{name}_faces", "1")
            home.wait(partial(is_complete, house, name), what=name)
        devices = [home.render(f"{{{{ device_id('switch.{n}_recognition') }}}}") for n in NAMES]
        assert len({*devices}) == 2
        for name, device in zip(NAMES, devices, strict=True):
            listed = home.render(f"{{{{ device_entities('{device}') | join(' ') }}}}").split()
            assert named(ENTITIES, name) <= set(listed)
            assert not [entity for entity in listed if f".{name}_" not in entity]
        spoken = [home.render(f"{{{{ device_attr('{d}', 'name') }}}}") for d in devices]
        assert spoken == ["Küche", "Кухня"]
        expression = home.state("sensor.kukhnia_expression")
        assert expression
        assert expression["attributes"]["friendly_name"] == "Кухня Expression"


def test_a_device_that_is_paused_stopped_or_killed_is_unavailable(house: House) -> None:
    home = house.home
    everything, seen = named(ENTITIES, "gate"), named(SEEN, "gate")
    with house.device("gate", "Gate") as daemon:
        home.wait_for("sensor.gate_faces", "1")
        home.call("switch.turn_off", "switch.gate_recognition")
        home.wait_for("switch.gate_recognition", "off")
        home.wait(lambda: unavailable(house, "gate") == seen, what="paused")
        home.call("switch.turn_on", "switch.gate_recognition")
        home.wait_for("switch.gate_recognition", "on")
        home.wait(lambda: not unavailable(house, "gate"), what="resumed")
        home.call("number.set_value", "number.gate_threshold", value=0.37)
        home.call("number.set_value", "number.gate_dwell", value=0.8)
        home.wait_for("number.gate_threshold", "0.37")
        home.wait_for("number.gate_dwell", "0.8")
        assert daemon.stop() == 0
        home.wait(lambda: unavailable(house, "gate") == everything, what="stopped")
        daemon.start()
        home.wait(lambda: not unavailable(house, "gate"), what="started again")
        assert home.wait_for("number.gate_threshold", "0.37")
        daemon.stop(signal.SIGKILL)
        home.wait(lambda: unavailable(house, "gate") == everything, what="killed")


OLD = {"name": "mien", "sw_version": "0.1.0"}


def test_the_problem_sensor_of_an_earlier_version_goes(house: House) -> None:
    topic = "homeassistant/device/mien_attic/config"
    sensor = {"p": "sensor", "name": "Problem", "state_topic": "mien/attic/health"}
    sensor |= {"unique_id": "mien_attic_problem", "value_template": "{{ value_json.problem }}"}
    device = {"identifiers": ["mien_attic"], "name": "Attic"}
    announcement = {"dev": device, "o": OLD, "cmps": {"problem": sensor}}
    state = house.folder / "attic" / "state" / "settings.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"announced": topic}))
    with Subscriber(house.broker.port) as client:
        client.publish(topic, json.dumps(announcement).encode())
        house.home.wait(lambda: "sensor.attic_problem" in house.home.states("attic"))
    with house.device("attic", "Attic"):
        house.home.wait_for("binary_sensor.attic_problem", "off")
        house.home.wait(lambda: "sensor.attic_problem" not in house.home.states("attic"))
        house.home.wait(lambda: found(house, "attic") == named(ENTITIES, "attic"))


def test_clear_removes_the_device(house: House) -> None:
    with house.device("shed", "Shed") as daemon:
        house.home.wait_for("switch.shed_recognition", "on")
        config = str(daemon._config)
        assert daemon.stop() == 0
    command = [sys.executable, "-m", "device", "discovery", "clear", "--config", config]
    subprocess.run(command, check=True, timeout=60.0)
    house.home.wait(lambda: not house.home.states("shed"), what="removed")
