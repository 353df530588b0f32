"""Templates rendered as Home Assistant renders them for MQTT, without Home Assistant.

Source: ``MqttValueTemplate`` and ``Template.async_render_with_possible_json_value`` of Home
Assistant: a sandbox of Jinja2, the result stripped, never parsed.
"""

from __future__ import annotations

import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)


def render(template: str, payload: str, this_state: str = "unknown", **more: Any) -> str:
    """What Home Assistant makes of a payload; an unknown name is an error here."""
    known: dict[str, Any] = {"value": payload, "this": SimpleNamespace(state=this_state), **more}
    with suppress(ValueError):
        known["value_json"] = json.loads(payload)
    return ENVIRONMENT.from_string(template).render(known).strip()
