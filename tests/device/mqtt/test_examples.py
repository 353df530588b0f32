"""docs/examples: what they name exists, and Home Assistant's say what they should."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from device.mqtt.discovery import discovery_payload
from device.mqtt.identity import Identity, Topics
from device.mqtt.schemas import names, read_schema
from device.vocabulary import Expression
from tests.home_assistant import ENVIRONMENT, render
from tests.topics import example

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
BLUEPRINTS = sorted((EXAMPLES / "blueprints").glob("*.yaml"))
PAGES = [EXAMPLES / "home-assistant.yaml", EXAMPLES / "dashboard-card.yaml", *BLUEPRINTS]
ENTITIES = discovery_payload(Identity("id", "Hall"), Topics("mien", "id"))["cmps"]
KNOWN = {key for name in names() for key in read_schema(name).get("properties", {})}


class Loader(yaml.SafeLoader):
    """YAML with Home Assistant's ``!input``, as the name in braces."""


Loader.add_constructor("!input", lambda loader, node: f"<{loader.construct_scalar(node)}>")


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def texts(body: Any) -> Iterator[str]:
    """All texts of a page."""
    if isinstance(body, dict):
        body = [*body, *body.values()]
    if isinstance(body, list):
        for each in body:
            yield from texts(each)
    elif isinstance(body, str):
        yield body


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_templates_are_templates_and_entities_are_announced(path: Path) -> None:
    ids = {f"{c['p']}.hall_{name}" for name, c in ENTITIES.items()}
    for text in texts(read(path)):
        ENVIRONMENT.from_string(text)
        if ".hall_" in text and " " not in text:
            assert text in ids


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.name)
def test_a_blueprint_uses_each_of_its_inputs_and_no_other(path: Path) -> None:
    page = read(path)
    blueprint = page.pop("blueprint")
    used = {text[1:-1] for text in texts(page) if text.startswith("<")}
    assert used == set(blueprint["input"])
    assert (blueprint["domain"], bool(page["triggers"] and page["actions"])) == ("automation", True)


def test_the_blueprint_offers_the_expressions_that_there_are() -> None:
    inputs = read(EXAMPLES / "blueprints" / "shows-expression.yaml")["blueprint"]["input"]
    assert inputs["expression"]["selector"]["select"]["options"] == [e.value for e in Expression]


def automation(alias: str) -> Any:
    found = read(EXAMPLES / "home-assistant.yaml")["automation"]
    return next(each for each in found if each["alias"] == alias)


@pytest.mark.parametrize("from_blueprint", [False, True])
def test_trouble_and_absence_are_told_and_a_removal_is_not(from_blueprint: bool) -> None:
    """A removed entity has no new state: only triggers without ``to`` fire for it."""
    if from_blueprint:
        page = read(EXAMPLES / "blueprints" / "away.yaml")
        message = page["variables"]["message"]
    else:
        page = automation("Tell when a Mien is in trouble or away")
        message = page["actions"][0]["data"]["message"]
    (trigger,) = page["triggers"]
    assert trigger["to"] == ["on", "unavailable"]
    for state, text in (("on", "Hall: camera lost"), ("unavailable", "Hall: away")):
        attributes = {"problem": "camera lost"} if state == "on" else {}
        now = SimpleNamespace(name="Hall", state=state, attributes=attributes)
        assert render(message, "", trigger=SimpleNamespace(to_state=now)) == text


@pytest.mark.parametrize(
    ("changes", "fires"),
    [({}, True), ({"historical": True}, False), ({"event_type": "vanished"}, False),
     ({"expression": "sad"}, False), ({"probability": 0.6}, False)],
)  # fmt: skip
def test_a_smile_of_now_turns_the_light_on(changes: dict[str, Any], fires: bool) -> None:
    event = {**example("event"), **changes}
    trigger = SimpleNamespace(
        payload_json=SimpleNamespace(**event),
        to_state=SimpleNamespace(attributes=SimpleNamespace(**event)),
    )
    said = render(ENTITIES["expression_event"]["value_template"], json.dumps(event))
    for alias in (
        "A smile turns the light on",
        "The same by MQTT, for a Mien that is not discovered",
    ):
        conditions = automation(alias)["conditions"]
        reached = bool(said) or "MQTT" in alias
        assert (
            reached and all(render(c, "", trigger=trigger) == "True" for c in conditions)
        ) == fires


def test_telegraf_reads_keys_that_exist_and_tells_two_faces_of_a_frame_apart() -> None:
    parsed = tomllib.loads((EXAMPLES / "telegraf.conf").read_text())
    metrics = [m for each in parsed["inputs"]["mqtt_consumer"] for m in each["xpath"]]
    assert [m["metric_name"] for m in metrics] == ["'mien_event'", "'mien_health'"]
    for metric in metrics:
        paths = [metric["timestamp"]]
        for part in ("tags", "fields", "fields_int"):
            paths += metric[part].values()
        for path in paths:
            key = path.removeprefix("number(").rstrip(")").split(" ")[0].split("/")[0]
            assert key in KNOWN, path
    assert {"device_id", "track_id"} <= set(metrics[0]["tags"])


def test_node_red_reads_keys_that_exist() -> None:
    flows = json.loads((EXAMPLES / "node-red.json").read_text())
    assert any(node["type"] == "mqtt in" for node in flows)
    for node in flows:
        for key in re.findall(r"\b(?:payload|event)\.(\w+)", node.get("func", "")):
            assert key in KNOWN, key
