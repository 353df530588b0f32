"""JSON Schemas of every payload: the public interface, also for subscribers to use."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def names() -> list[str]:
    """All schemas, sorted."""
    entries = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".json") for name in entries if name.endswith(".json"))


def read_schema(name: str) -> dict[str, Any]:
    """The schema of a topic or command."""
    text = files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
