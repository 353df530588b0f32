"""What Home Assistant makes of the announcement."""

from __future__ import annotations

import pytest

from tests.clients.house import House

pytestmark = pytest.mark.slow

ENTITIES = {
    "binary_sensor.{}_face_present",
    "button.{}_identify",
    "button.{}_restart",
    "event.{}_expression_event",
    "number.{}_dwell",
    "number.{}_threshold",
    "sensor.{}_expression",
    "sensor.{}_fps",
    "sensor.{}_inference_ms",
    "sensor.{}_model",
    "sensor.{}_num_faces",
    "sensor.{}_probability",
    "sensor.{}_problem",
    "sensor.{}_temperature",
    "switch.{}_running",
}


def entities(name: str) -> set[str]:
    return {entity.format(name) for entity in ENTITIES}


def test_one_device_appears_with_every_entity(house: House) -> None:
    with house.device("first", "Hallway"):
        house.home.wait_for("switch.hallway_running", "on")
        house.home.wait(lambda: house.home.states("hallway")["sensor.hallway_num_faces"] == "1")
    assert set(house.home.states("hallway")) == entities("hallway")
