"""Home Assistant's device discovery: one retained message that announces every entity.

It is said at every connect and again when Home Assistant reports its birth, after a random
delay, since all devices of a house hear that birth at once. ``entities.json`` lists the entities:
``each`` holds for all of a group; topics are short, as in ``docs/mqtt.md``. A key is its name in
Home Assistant's spelling. It makes entity ids itself, from the device's and the entity's name: so
they are the same in all its releases, whatever alphabet a name is in.

Source: Home Assistant's documentation of MQTT discovery ("Device discovery payload") and of the
platforms sensor, binary_sensor, event, switch, number, select and button.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from device.mqtt.identity import Identity, Topics

BIRTH_DELAY_S = 5.0  # at most, random
LAYOUT = 2  # of the announcement: rises when something of an earlier one has to be taken back
# Home Assistant knows two words and would take `stopped` and `paused` for neither.
IN_TWO_WORDS = "{{ 'online' if value == 'online' else 'offline' }}"
Component = dict[str, Any]


def discovery_topic(prefix: str, device_id: str) -> str:
    """``homeassistant/device/mien_<id>/config``."""
    return f"{prefix}/device/mien_{_safe(device_id)}/config"


def retraction_payload(identity: Identity) -> dict[str, Any]:
    """Takes back the sensor ``problem`` of layout 1, in a message of its own.

    Its key belongs to a binary sensor now, so the announcement cannot name it too. Home Assistant
    leaves alone what a message does not name.
    """
    return {
        "dev": {"identifiers": [f"mien_{identity.device_id}"]},
        "o": {"name": "mien", "sw_version": identity.version},
        "cmps": {"problem": {"p": "sensor"}},
    }


def discovery_payload(
    identity: Identity,
    topics: Topics,
    area: str = "",
    has_temperature: bool = True,
    support_url: str = "",
    page: str = "",
) -> dict[str, Any]:
    """The whole announcement.

    Args:
        identity: who is announced.
        topics: of the device.
        area: suggested to Home Assistant; empty for none.
        has_temperature: whether the board has a sensor; without one there is no entity.
        support_url: the project's page; empty for none.
        page: where others find the device's page; empty for none.
    """
    device = {
        "identifiers": [f"mien_{identity.device_id}"],
        "name": identity.name,
        "manufacturer": "Mien",
        "model": "Expression camera",
        "sw_version": identity.version,
        "serial_number": identity.device_id,
    }
    device |= {k: v for k, v in (("suggested_area", area), ("configuration_url", page)) if v}
    origin = {"name": "mien", "sw_version": identity.version}
    announcement = {
        "dev": device,
        "o": {**origin, "support_url": support_url} if support_url else origin,
        "cmps": _components(identity, topics, has_temperature),
        "availability": [{"topic": "availability"}],
        "qos": 1,
    }
    return _with_topics(announcement, topics)


def _components(identity: Identity, topics: Topics, has_temperature: bool) -> dict[str, Component]:
    """The entities by their keys, and what is taken back."""
    groups = json.loads(files(__package__).joinpath("entities.json").read_text(encoding="utf-8"))
    components: dict[str, Component] = {
        name: {"p": platform} for name, platform in groups.pop("retired").items()
    }
    for group in groups.values():
        for name, own in group["entities"].items():
            unique_id = f"mien_{_safe(identity.device_id)}_{name}"
            entity = {**group["each"], **own, "unique_id": unique_id}
            components[name] = _with_topics(entity, topics)
    if not has_temperature:
        components["temperature"] = {"p": "sensor"}  # takes an earlier one back
    return components


def _with_topics(component: Component, topics: Topics) -> Component:
    """The same with whole topics, and with two words for whether it is available."""
    whole = {
        key: topics(value) if key.endswith("_topic") else value for key, value in component.items()
    }
    if "availability" in component:
        whole["availability"] = [
            {"topic": topics(entry["topic"]), "value_template": IN_TWO_WORDS}
            for entry in component["availability"]
        ]
    return whole


def _safe(text: str) -> str:
    """Letters, digits and underscores: what Home Assistant allows in ids."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text).strip("_") or "mien"


class Announcer:
    """Says the announcement again after Home Assistant's birth.

    Args:
        repeat: says discovery and state again.
        rng: source of the delay.
        delay_s: the longest delay.
    """

    def __init__(
        self,
        repeat: Callable[[], None],
        rng: random.Random | None = None,
        delay_s: float = BIRTH_DELAY_S,
    ) -> None:
        self._repeat, self._rng, self._delay_s = repeat, rng or random.Random(), delay_s
        self._timer: threading.Timer | None = None

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """A message on ``homeassistant/status``; a retained one says nothing new."""
        if payload != b"online" or retained or (self._timer and self._timer.is_alive()):
            return
        self._timer = threading.Timer(self._rng.uniform(0.0, self._delay_s), self._repeat)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Forgets a pending repetition."""
        if self._timer:
            self._timer.cancel()
