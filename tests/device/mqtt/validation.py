"""Checks messages against the published schemas, and that every key they carry is documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema

from device.mqtt.schemas import names, read_schema

if TYPE_CHECKING:
    from tests.subscriber import Seen


def check_message(seen: Seen) -> None:
    """Raises when the message is not what its schema says."""
    name = "response" if seen.name.startswith("response/") else seen.name
    assert name in names(), f"no schema for {seen.topic}"
    schema = read_schema(name)
    if schema["type"] == "string":
        jsonschema.validate(seen.payload.decode(), schema)
        return
    body = seen.json()
    jsonschema.validate(body, schema)
    assert_documented(body, schema, name)


def assert_documented(body: Any, schema: dict[str, Any], where: str) -> None:
    """Schemas are open for newer devices; what this one says must all be in them."""
    if isinstance(body, dict) and "properties" in schema:
        for key, value in body.items():
            assert key in schema["properties"], f"{where}.{key} is not documented"
            assert_documented(value, schema["properties"][key], f"{where}.{key}")
    if isinstance(body, list) and isinstance(schema.get("items"), dict):
        for value in body:
            assert_documented(value, schema["items"], where)
