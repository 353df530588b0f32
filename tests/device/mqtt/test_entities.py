"""What Home Assistant shows of a device: the entities' templates, rendered as it renders them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from device.mqtt.discovery import discovery_payload
from device.mqtt.identity import Identity, Topics
from device.mqtt.schemas import read_schema
from device.settings import Settings, replace_setting
from tests.home_assistant import render
from tests.topics import example

TOPICS = Topics("mien", "0123456789ab")
PAYLOAD = discovery_payload(Identity("0123456789ab", "Living room"), TOPICS)
ENTITIES = {name: c for name, c in PAYLOAD["cmps"].items() if set(c) != {"p"}}
Component = dict[str, Any]


def is_available(component: Component, words: dict[str, str]) -> bool:
    """What Home Assistant shows after these payloads of the topics."""
    listed = component.get("availability", PAYLOAD["availability"])
    said = [render(e["value_template"], words[e["topic"].split("/")[-1]]) for e in listed]
    assert set(said) <= {"online", "offline"}  # it reads no other word
    return set(said) == {"online"}


def test_after_a_clean_end_nothing_is_available() -> None:
    for word in ("stopped", "offline"):
        for name, component in ENTITIES.items():
            assert not is_available(component, {"availability": word, "camera": "offline"}), name


def test_while_paused_nobody_is_shown_and_everything_else_stays() -> None:
    seen = {"expression", "probability", "faces", "face_present"}
    for camera, hidden in (("online", set()), ("paused", seen), ("offline", seen)):
        words = {"availability": "online", "camera": camera}
        assert {n for n, c in ENTITIES.items() if not is_available(c, words)} == hidden


def test_an_event_that_waited_for_the_broker_is_ignored() -> None:
    """Home Assistant ignores what renders to nothing, without a line in its log."""
    template = ENTITIES["expression_event"]["value_template"]
    event = example("event")
    assert json.loads(render(template, json.dumps(event))) == event
    assert render(template, json.dumps({**event, "historical": True})) == ""


def test_what_can_be_set_stays_within_what_the_settings_allow() -> None:
    for component in ENTITIES.values():
        for wanted in (component.get("min"), component.get("max"), *component.get("options", ())):
            if wanted is not None and "command_template" in component:
                filled = json.loads(render(component["command_template"], str(wanted)))
                jsonschema.validate(filled, read_schema("command-set"))
                ((dotted, value),) = filled["settings"].items()
                replace_setting(Settings(), dotted, value)
                shown = render(component["value_template"], json.dumps(filled))
                assert shown == str(wanted)


HEALTH = {
    "problem": None,
    "fps": 14.9,
    "uptime_s": 61,
    "counts": {"dropped_events": 3},
    "stages": {"classify": {"p50_ms": 0.61, "p95_ms": 0.9}},
    "temperature_c": 51.5,
    "memory_mb": 84.1,
    "model": {"name": "expression", "version": "1.2.0"},
}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("frame_rate", "14.9"), ("uptime", "61"), ("dropped_events", "3"), ("memory", "84.1"),
        ("inference_time", "0.61"), ("temperature", "51.5"), ("model", "expression 1.2.0"),
        ("expression", "happy"), ("probability", "90.0"), ("faces", "1"), ("face_present", "ON"),
    ],
)  # fmt: skip
def test_what_a_sensor_shows(name: str, shown: str) -> None:
    component = ENTITIES[name]
    payload = HEALTH if component["state_topic"] == TOPICS("health") else example("state")
    assert render(component["value_template"], json.dumps(payload)) == shown


def test_without_a_face_or_a_measurement_a_sensor_says_so() -> None:
    found = ENTITIES
    nobody = json.dumps({**example("state"), "num_faces": 0, "expression": None, "faces": []})
    assert render(found["expression"]["value_template"], nobody) == "none"
    assert render(found["face_present"]["value_template"], nobody) == "OFF"
    nothing = json.dumps({**HEALTH, "stages": {}, "temperature_c": None})
    for name in ("inference_time", "temperature"):
        assert render(found[name]["value_template"], nothing) == "None"  # its word for unknown


def test_a_problem_is_on_with_its_text_beside_it() -> None:
    component = ENTITIES["problem"]
    for problem, state in ((None, "OFF"), ('the "camera" is <away> \' {{ 1 }}', "ON")):
        payload = json.dumps({**HEALTH, "problem": problem})
        assert render(component["value_template"], payload) == state
        attributes = json.loads(render(component["json_attributes_template"], payload))
        assert attributes == {"problem": problem}


def test_the_last_rejection_reason_stays_until_there_is_another() -> None:
    template = ENTITIES["last_rejection_reason"]["value_template"]
    good = example("state")
    dark = {**good, "faces": [*good["faces"], {**good["faces"][0], "doubt": "too dark"}]}
    assert render(template, json.dumps(good), this_state="unknown") == "none"
    assert render(template, json.dumps(dark), this_state="none") == "too dark"
    assert render(template, json.dumps(good), this_state="too dark") == "too dark"
