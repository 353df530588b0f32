"""The announcement against the keys that Home Assistant documents.

Lists from the pages "MQTT" (device discovery), "MQTT Sensor", "MQTT binary sensor", "MQTT Event",
"MQTT Switch", "MQTT Number", "MQTT Select" and "MQTT Button" of Home Assistant's documentation;
Home Assistant refuses an entity with any other key.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from device.mqtt.discovery import Announcer, discovery_payload, discovery_topic
from device.mqtt.identity import Identity, Topics, find_support_url, make_name
from device.mqtt.schemas import read_schema
from device.settings import Settings
from device.settings.tree import Detector
from device.vocabulary import EventType, Expression
from tests.device.mqtt.appliance import wait_until

ROOT = {
    "dev", "device", "o", "origin", "cmps", "components", "availability", "availability_mode",
    "availability_template", "availability_topic", "payload_available", "payload_not_available",
    "state_topic", "command_topic", "qos", "encoding",
}  # fmt: skip
DEVICE = {
    "configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model",
    "model_id", "name", "serial_number", "suggested_area", "sw_version", "via_device",
}  # fmt: skip
ORIGIN = {"name", "sw_version", "support_url"}
EVERY_PLATFORM = {
    "p", "platform", "availability", "availability_mode", "availability_template",
    "availability_topic", "default_entity_id", "device", "device_class", "enabled_by_default",
    "encoding", "entity_category", "entity_picture", "icon", "json_attributes_template",
    "json_attributes_topic", "name", "payload_available", "payload_not_available", "qos",
    "unique_id",
}  # fmt: skip
PLATFORMS = {
    "sensor": {
        "expire_after", "force_update", "last_reset_value_template", "options", "state_class",
        "state_topic", "suggested_display_precision", "unit_of_measurement", "value_template",
    },
    "binary_sensor": {
        "expire_after", "force_update", "off_delay", "payload_off", "payload_on", "state_topic",
        "value_template",
    },
    "event": {"event_types", "state_topic", "value_template"},
    "switch": {
        "command_topic", "optimistic", "payload_off", "payload_on", "retain", "state_off",
        "state_on", "state_topic", "value_template",
    },
    "number": {
        "command_template", "command_topic", "max", "min", "mode", "optimistic", "payload_reset",
        "retain", "state_topic", "step", "unit_of_measurement", "value_template",
    },
    "select": {
        "command_template", "command_topic", "optimistic", "options", "retain", "state_topic",
        "value_template",
    },
    "button": {"command_template", "command_topic", "payload_press", "retain"},
}  # fmt: skip
REQUIRED = {
    "sensor": {"state_topic"},
    "binary_sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
    "switch": {"command_topic"},
    "number": {"command_topic"},
    "select": {"command_topic", "options"},
    "button": {"command_topic"},
}
CLASSES = {
    "sensor": {"data_size", "duration", "enum", "temperature"},
    "binary_sensor": {"occupancy", "problem"},
    "button": {"identify", "restart", "update"},
}
TOPICS = Topics("mien", "0123456789ab")
PAYLOAD = discovery_payload(Identity("0123456789ab", "Living room"), TOPICS)
Component = dict[str, Any]


def components() -> Iterator[tuple[str, Component]]:
    """All that are announced; one with a platform alone is taken back."""
    yield from ((n, c) for n, c in PAYLOAD["cmps"].items() if set(c) != {"p"})


def test_the_root_has_documented_keys_only() -> None:
    assert set(PAYLOAD) <= ROOT
    assert set(PAYLOAD["dev"]) <= DEVICE
    assert set(PAYLOAD["o"]) <= ORIGIN
    assert PAYLOAD["o"]["name"]
    assert PAYLOAD["dev"]["identifiers"]


@pytest.mark.parametrize(("name", "component"), list(components()))
def test_a_component_has_documented_keys_only(name: str, component: Component) -> None:
    platform = component["p"]
    assert set(component) <= EVERY_PLATFORM | PLATFORMS[platform], name
    assert set(component) >= REQUIRED[platform] | {"unique_id", "name"}, name
    assert component.get("device_class") in {None, *CLASSES.get(platform, set())}
    assert not component.keys() & {"object_id", "default_entity_id"}  # it makes better ones
    assert "icon" in component or "device_class" in component, name
    assert component.get("entity_category") in {None, "config", "diagnostic"}
    both = component.keys() & {"availability", "availability_topic"}
    assert len(both) <= 1


def test_ids_are_unique_and_lasting() -> None:
    ids = [component["unique_id"] for _, component in components()]
    assert len(ids) == len(set(ids))
    again = discovery_payload(Identity("0123456789ab", "Renamed"), TOPICS)
    assert [again["cmps"][name]["unique_id"] for name, _ in components()] == ids


def test_an_enum_sensor_has_neither_unit_nor_state_class() -> None:
    for _, component in components():
        if component.get("device_class") == "enum":
            assert not component.keys() & {"unit_of_measurement", "state_class"}
            assert {e.value for e in Expression} < set(component["options"])


def test_the_specified_entities_are_there() -> None:
    found = {(component["p"], name) for name, component in components()}
    assert found >= {
        ("sensor", "expression"),
        ("sensor", "probability"),
        ("sensor", "faces"),
        ("binary_sensor", "face_present"),
        ("event", "expression_event"),
        ("switch", "recognition"),
        ("number", "threshold"),
        ("number", "dwell"),
        ("number", "refractory_time"),
        ("select", "detector"),
        ("button", "calibrate"),
        ("button", "identify"),
        ("button", "restart"),
        ("binary_sensor", "problem"),
        ("sensor", "frame_rate"),
        ("sensor", "inference_time"),
        ("sensor", "temperature"),
        ("sensor", "model"),
        ("sensor", "memory"),
        ("sensor", "uptime"),
        ("sensor", "dropped_events"),
        ("sensor", "last_rejection_reason"),
    }


def test_a_key_is_its_name_as_home_assistant_spells_it_in_ids() -> None:
    for name, component in components():
        assert name == component["name"].lower().replace(" ", "_")


def test_ids_are_left_to_home_assistant_whatever_alphabet_a_name_is_in() -> None:
    for name in ("Küche Süd 2. OG", "Кухня", "厨房"):
        payload = discovery_payload(Identity("0123456789ab", name), TOPICS)
        assert payload["dev"]["name"] == name
        assert payload["cmps"] == PAYLOAD["cmps"]


def test_two_fresh_devices_have_two_names_and_a_given_one_is_kept() -> None:
    assert make_name("", "0123456789ab") == "Mien 89ab"
    assert make_name("", "0123456789cd") == "Mien 89cd"
    assert make_name("Hall", "0123456789ab") == "Hall"
    assert Settings().device.name == ""


def test_an_area_is_suggested_where_one_is_set() -> None:
    assert "suggested_area" not in PAYLOAD["dev"]
    payload = discovery_payload(Identity("x"), TOPICS, area="Kitchen")
    assert payload["dev"]["suggested_area"] == "Kitchen"


def test_a_board_without_a_sensor_has_no_temperature_and_takes_an_earlier_one_back() -> None:
    payload = discovery_payload(Identity("x"), TOPICS, has_temperature=False)
    assert payload["cmps"]["temperature"] == {"p": "sensor"}


def test_words_are_those_of_vocabulary_and_settings() -> None:
    found = dict(components())
    assert found["expression"]["options"] == [*(e.value for e in Expression), "none"]
    assert found["expression_event"]["event_types"] == [kind.value for kind in EventType]
    choices = Detector.__dataclass_fields__["kind"].metadata["choices"]
    assert found["detector"]["options"] == list(choices)


def test_what_the_camera_shows_depends_on_daemon_and_camera() -> None:
    for name in ("expression", "probability", "faces", "face_present"):
        component = PAYLOAD["cmps"][name]
        topics = [entry["topic"] for entry in component["availability"]]
        assert topics == [TOPICS("availability"), TOPICS("camera")]
        assert component["availability_mode"] == "all"


def test_events_are_heard_while_the_camera_is_paused_or_lost() -> None:
    """`camera` may say so before the ``vanished`` goes out."""
    assert "availability" not in PAYLOAD["cmps"]["expression_event"]  # then the device's counts
    assert [e["topic"] for e in PAYLOAD["availability"]] == [TOPICS("availability")]


def test_commands_go_to_topics_that_the_daemon_understands() -> None:
    for name, component in components():
        if "command_topic" in component:
            command = component["command_topic"].rsplit("/", 1)[-1]
            schema = read_schema(f"command-{command}")
            for key in ("payload_press", "payload_on", "payload_off"):
                if key in component:
                    assert set(json.loads(component[key])) <= set(schema["properties"]), name


def test_templates_name_keys_that_the_payloads_have() -> None:
    for name, component in components():
        topic = component.get("state_topic", "").rsplit("/", 1)[-1]
        templates = [
            v for k, v in component.items() if k.endswith("_template") and "command" not in k
        ]
        for key in re.findall(r"value_json\.(\w+)", " ".join(templates)):
            assert key in read_schema(topic)["properties"], name


def test_what_few_people_want_is_off_until_they_turn_it_on() -> None:
    off = {name for name, c in components() if not c.get("enabled_by_default", True)}
    assert off == {
        "refractory_time", "detector", "memory", "uptime", "dropped_events",
        "last_rejection_reason",
    }  # fmt: skip


def test_the_projects_page_stands_there_where_the_package_names_one() -> None:
    assert "support_url" not in PAYLOAD["o"]
    url = find_support_url("paho-mqtt")
    assert url.startswith("https://")
    payload = discovery_payload(Identity("x"), TOPICS, support_url=url)
    assert payload["o"]["support_url"] == url
    assert find_support_url("no-such-package") == ""


def test_what_earlier_versions_announced_is_taken_back() -> None:
    assert PAYLOAD["cmps"]["running"] == {"p": "switch"}


def test_a_strange_device_id_gives_a_usable_topic() -> None:
    topic = discovery_topic("homeassistant", "Küche: 1.")
    assert re.fullmatch(r"homeassistant/device/[A-Za-z0-9_-]+/config", topic)


def test_after_a_birth_everything_is_said_again_once() -> None:
    told: list[int] = []
    announcer = Announcer(lambda: told.append(1), random.Random(1), delay_s=0.05)
    announcer.receive("homeassistant/status", b"offline", False)
    announcer.receive("homeassistant/status", b"online", True)
    for _ in range(5):
        announcer.receive("homeassistant/status", b"online", False)
    wait_until(lambda: told)
    assert told == [1]
    announcer.close()
