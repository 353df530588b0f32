"""The shipped automations and blueprints load and do what they say."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.clients.house import House

pytestmark = pytest.mark.slow
SMILES = ("automation.a_smile_turns_the_light_on", "automation.blueprint_shows_expression")
BY_MQTT = "automation.the_same_by_mqtt_for_a_mien_that_is_not_discovered"
NAMES = {
    *SMILES,
    BY_MQTT,
    "automation.nobody_is_watched_at_night",
    "automation.tell_when_a_mien_is_in_trouble_or_away",
    "automation.blueprint_away",
    "automation.blueprint_schedule",
}


def fired(house: House, automation: str) -> bool:
    state = house.home.state(automation)
    return bool(state and state["attributes"]["last_triggered"])


def told(house: House) -> str:
    path = house.folder / "told"
    return path.read_text() if path.exists() else ""


def test_every_example_is_loaded(house: House) -> None:
    states = house.home.states("automation.")
    assert {name: states.get(name) for name in NAMES} == dict.fromkeys(NAMES, "on")


def test_the_examples_fire(house: House) -> None:
    home = house.home
    with house.device("hall", "Hall") as daemon:
        home.wait_for("light.hall", "on", 60.0)
        for automation in (*SMILES, BY_MQTT):
            home.wait(partial(fired, house, automation), 60.0, automation)
        home.set_state("schedule.watch", "off")
        home.wait_for("switch.hall_recognition", "off")
        home.set_state("schedule.watch", "on")
        home.wait_for("switch.hall_recognition", "on")
        assert told(house) == ""
        assert daemon.stop() == 0
        home.wait(lambda: told(house).count("Hall Problem: away") == 2, what=told(house))


def test_every_blueprint_is_used_here(house: House) -> None:
    blueprints = house.folder / "home" / "blueprints" / "automation" / "mien"
    used = (house.folder / "home" / "packages" / "blueprints.yaml").read_text()
    assert [p for p in Path(blueprints).iterdir() if f"mien/{p.name}" not in used] == []
