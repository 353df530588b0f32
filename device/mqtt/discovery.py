"""Home Assistant's device discovery: one retained message that announces every entity.

It is said at every connect and again when Home Assistant reports its birth, after a random
delay, since all devices of a house hear that birth at once. What earlier versions announced and
this one does not is retracted; ``mien discovery clear`` retracts everything.

Source: Home Assistant's documentation of MQTT discovery ("Device discovery payload") and of the
platforms sensor, binary_sensor, event, switch, number and button.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from device.mqtt.identity import Identity, Topics
from device.mqtt.payloads import encode
from device.vocabulary import EventType, Expression

BIRTH_DELAY_S = 5.0  # at most, random
RETIRED: dict[str, str] = {}  # component: platform, of what earlier versions announced
Component = dict[str, Any]


def discovery_topic(prefix: str, device_id: str) -> str:
    """``homeassistant/device/mien_<id>/config``."""
    return f"{prefix}/device/mien_{_safe(device_id)}/config"


def discovery_payload(identity: Identity, topics: Topics) -> dict[str, Any]:
    """The whole announcement."""
    components = {**_seen(topics), **_controls(topics), **_diagnostics(topics)}
    for name, component in components.items():
        component["unique_id"] = f"mien_{_safe(identity.device_id)}_{name}"
        component["default_entity_id"] = f"{component['p']}.{_safe(identity.name.lower())}_{name}"
    retired = {name: {"p": platform} for name, platform in RETIRED.items()}
    return {
        "dev": {
            "identifiers": [f"mien_{identity.device_id}"],
            "name": identity.name,
            "manufacturer": "Mien",
            "model": "Expression camera",
            "sw_version": identity.version,
            "serial_number": identity.device_id,
        },
        "o": {"name": "mien", "sw_version": identity.version},
        "cmps": {**retired, **components},
        "availability": [{"topic": topics("availability")}],
        "qos": 1,
    }


def _seen(topics: Topics) -> dict[str, Component]:
    """What the camera shows; not available while it is paused or lost."""
    both = {
        "availability": [{"topic": topics("availability")}, {"topic": topics("camera")}],
        "availability_mode": "all",
    }
    state = {"state_topic": topics("state"), **both}
    return {
        "expression": {
            "p": "sensor",
            "name": "Expression",
            "device_class": "enum",
            "options": [*(e.value for e in Expression), "none"],
            "value_template": "{{ value_json.expression or 'none' }}",
            "icon": "mdi:emoticon-outline",
            **state,
        },
        "probability": {
            "p": "sensor",
            "name": "Probability",
            "unit_of_measurement": "%",
            "suggested_display_precision": 0,
            "value_template": "{{ ((value_json.probability or 0) * 100) | round(1) }}",
            "icon": "mdi:percent",
            **state,
        },
        "num_faces": {
            "p": "sensor",
            "name": "Faces",
            "state_class": "measurement",
            "value_template": "{{ value_json.num_faces }}",
            "icon": "mdi:account-multiple-outline",
            **state,
        },
        "face_present": {
            "p": "binary_sensor",
            "name": "Face present",
            "device_class": "occupancy",
            "value_template": "{{ 'ON' if value_json.num_faces > 0 else 'OFF' }}",
            **state,
        },
        "expression_event": {
            "p": "event",
            "name": "Expression event",
            "event_types": [kind.value for kind in EventType],
            "state_topic": topics("event"),
            "icon": "mdi:emoticon-happy-outline",
            **both,
        },
    }


def _controls(topics: Topics) -> dict[str, Component]:
    """What people can change."""

    def number(key: str, name: str, high: float, step: float, unit: str | None) -> Component:
        component: Component = {
            "p": "number",
            "name": name,
            "entity_category": "config",
            "command_topic": topics("command/set"),
            "command_template": f'{{"settings": {{"{key}": {{{{ value }}}}}}}}',
            "state_topic": topics("health"),
            "value_template": f"{{{{ value_json.settings['{key}'] }}}}",
            "min": 0,
            "max": high,
            "step": step,
            "mode": "box",
        }
        return {**component, "unit_of_measurement": unit} if unit else component

    def button(command: str, name: str, **more: str) -> Component:
        return {
            "p": "button",
            "name": name,
            "entity_category": "config",
            "command_topic": topics(f"command/{command}"),
            "payload_press": "{}",
            **more,
        }

    return {
        "running": {
            "p": "switch",
            "name": "Running",
            "icon": "mdi:eye-outline",
            "command_topic": topics("command/pause"),
            "state_topic": topics("camera"),
            "value_template": "{{ 'OFF' if value == 'paused' else 'ON' }}",
            "payload_on": '{"paused": false}',
            "payload_off": '{"paused": true}',
            "state_on": "ON",
            "state_off": "OFF",
        },
        "threshold": number("smoothing.threshold", "Threshold", 1, 0.01, None),
        "dwell": number("smoothing.dwell_s", "Dwell", 10, 0.1, "s"),
        "identify": button("identify", "Identify", device_class="identify"),
        "restart": button("restart", "Restart", device_class="restart"),
    }


def _diagnostics(topics: Topics) -> dict[str, Component]:
    """How the device is."""

    def sensor(name: str, template: str, **more: Any) -> Component:
        return {
            "p": "sensor",
            "name": name,
            "entity_category": "diagnostic",
            "state_topic": topics("health"),
            "value_template": template,
            **more,
        }

    return {
        "fps": sensor(
            "Frame rate",
            "{{ value_json.fps }}",
            state_class="measurement",
            unit_of_measurement="fps",
        ),
        "inference_ms": sensor(
            "Inference time",
            "{{ value_json.stages.classify.p50_ms if 'classify' in value_json.stages else None }}",
            state_class="measurement",
            device_class="duration",
            unit_of_measurement="ms",
        ),
        "temperature": sensor(
            "Temperature",
            "{{ value_json.temperature_c }}",
            state_class="measurement",
            device_class="temperature",
            unit_of_measurement="°C",
        ),
        "model": sensor("Model", "{{ value_json.model.name }} {{ value_json.model.version }}"),
        "problem": sensor("Problem", "{{ (value_json.problem or 'none')[:255] }}"),
    }


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


def encode_discovery(identity: Identity, topics: Topics) -> bytes:
    """The announcement as it goes over the wire."""
    return encode(discovery_payload(identity, topics))
