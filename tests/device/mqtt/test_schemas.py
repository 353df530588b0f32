"""The schemas themselves, and the page made from them."""

from __future__ import annotations

import json
import tracemalloc

import jsonschema
import pytest

from device.mqtt.command_queue import NAMES
from device.mqtt.identity import Identity
from device.mqtt.payloads import Payloads, WallClock, encode
from device.mqtt.schemas import names, read_schema
from device.vocabulary import Expression
from tests.device.mqtt.validation import assert_documented
from tests.scenes import ONLINE, change, scene_with
from tests.topics import ENVELOPE, PAGE, example, page


@pytest.mark.parametrize("name", names())
def test_each_schema_is_a_schema_and_explains_every_key(name: str) -> None:
    schema = read_schema(name)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["description"]
    for key, value in schema.get("properties", {}).items():
        assert value.get("description"), f"{name}.{key}"


def test_every_command_has_a_schema() -> None:
    assert {f"command-{name}" for name in NAMES} == {n for n in names() if n.startswith("command-")}


def test_the_envelope_is_the_same_everywhere() -> None:
    event = read_schema("event")["properties"]
    for name in ("state", "health", "response"):
        schema = read_schema(name)
        assert set(ENVELOPE) <= set(schema["required"])
        for key in ENVELOPE:
            assert schema["properties"][key] == event[key], f"{name}.{key}"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.topics"


@pytest.mark.parametrize("name", ["state", "event"])
def test_the_examples_of_the_page_are_valid(name: str) -> None:
    jsonschema.validate(example(name), read_schema(name))
    assert_documented(example(name), read_schema(name), name)


def test_a_networks_nan_and_a_box_beyond_the_frame_stay_valid_json() -> None:
    payloads = Payloads(Identity("x"), WallClock())
    scene = scene_with(Expression.HAPPY, probability=float("nan"), shift_px=9999)
    body = json.loads(encode(payloads.state(scene, ONLINE)))
    jsonschema.validate(body, read_schema("state"))
    assert body["faces"][0]["probability"] == 0.0
    assert body["faces"][0]["box"][2] == 1.0


def test_seq_counts_each_topic_on_its_own() -> None:
    payloads = Payloads(Identity("x"), WallClock())
    events = [payloads.event(change())["seq"] for _ in range(3)]
    state = payloads.state(scene_with(), ONLINE)
    assert (events, state["seq"]) == ([1, 2, 3], 1)


def test_half_a_surrogate_pair_from_a_stranger_can_be_answered() -> None:
    assert encode({"transaction": "\ud800", "ü": 1}) == '{"transaction":"?","ü":1}'.encode()


def test_names_that_are_no_command_take_no_memory() -> None:
    payloads = Payloads(Identity("x"), WallClock())
    tracemalloc.start()
    last = [payloads.response(f"x{n}", None, 0.0, error="unknown")["seq"] for n in range(1000)][-1]
    grown = sum(
        stat.size
        for stat in tracemalloc.take_snapshot()
        .filter_traces([tracemalloc.Filter(True, "*/device/mqtt/payloads.py")])
        .statistics("filename")
    )
    tracemalloc.stop()
    assert last == 1000  # they count together
    assert grown < 10_000
    assert payloads.response("set", None, 0.0)["seq"] == 1
    assert payloads.response("pause", None, 0.0)["seq"] == 1
    assert payloads.response("set", None, 0.0)["seq"] == 2
