"""The Telegraf example, replayed: its rules on the daemon's payloads, to the points they make.

Telegraf itself is in no package registry that these tests use.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

from device.mqtt.identity import Identity
from device.mqtt.payloads import Payloads, WallClock, encode
from tests.device.daemon.test_health import make_report
from tests.scenes import change

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "telegraf.conf"
INPUTS = tomllib.loads(EXAMPLE.read_text())["inputs"]["mqtt_consumer"]
Point = tuple[str, str, dict[str, str], dict[str, Any]]  # metric, timestamp, tags, fields


def look_up(body: Any, path: str) -> str | None:
    """What an XPath finds in JSON: the text of a value, None for no value."""
    for key in path.split("/"):
        body = body.get(key) if isinstance(body, dict) else None
    if body is None or isinstance(body, (dict, list)):
        return None
    return json.dumps(body) if not isinstance(body, str) else body


def evaluate(rule: str, body: Any) -> Any:
    """The expressions that the example uses."""
    if literal := re.fullmatch(r"'([^']*)'", rule):
        return literal[1]
    if number := re.fullmatch(r"number\((\S+)\)", rule):
        found = look_up(body, number[1])
        return math.nan if found is None else float(found)
    if compared := re.fullmatch(r"(\S+) = '([^']*)'", rule):
        return look_up(body, compared[1]) == compared[2]
    return look_up(body, rule)


def points(topic: str, payload: bytes) -> list[Point]:
    """What Telegraf writes of a message."""
    body, found = json.loads(payload), []
    for wanted in INPUTS:
        if any(re.fullmatch(t.replace("+", "[^/]+"), topic) for t in wanted["topics"]):
            [rules] = wanted["xpath"]
            tags = {tag: str(evaluate(rule, body)) for tag, rule in rules["tags"].items()}
            fields = {name: evaluate(rule, body) for name, rule in rules["fields"].items()}
            fields |= {n: int(evaluate(rule, body)) for n, rule in rules["fields_int"].items()}
            fields = {n: v for n, v in fields.items() if v == v}  # NaN is left out
            at = evaluate(rules["timestamp"], body)
            found.append((evaluate(rules["metric_name"], body), at, tags, fields))
    return found


def test_two_faces_of_one_frame_are_two_points() -> None:
    """The database keeps one point a metric, set of tags and time."""
    payloads = Payloads(Identity("hall"), WallClock())
    events = [change(track_id=number, at_s=5.0) for number in (1, 2)]
    events += [change(track_id=1, at_s=6.0)]
    written = [points("mien/hall/event", encode(payloads.event(event))) for event in events]
    kept = {(metric, at, *sorted(tags.items())) for [(metric, at, tags, _)] in written}
    assert len(kept) == len(events)


def test_an_event_keeps_its_numbers_and_its_own_time() -> None:
    body = Payloads(Identity("hall"), WallClock()).event(change(track_id=3))
    for historical in (False, True):
        [point] = points("mien/hall/event", encode({**body, "historical": historical}))
        metric, at, tags, fields = point
        assert (metric, at) == ("mien_event", body["at"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
        assert tags == {
            k: str(body[k]) for k in ("device_id", "event_type", "expression", "track_id")
        }
        expected = {k: body[k] for k in ("boot_id", "probability", "seq", "duration_ms")}
        assert fields == {**expected, "historical": historical}


def test_health_without_a_thermometer_leaves_the_temperature_out(tmp_path: Path) -> None:
    payloads = Payloads(Identity("hall"), WallClock())
    report = {**make_report(tmp_path), "fps": 14.5, "memory_mb": 80.5, "outbox_depth": 3}
    for celsius in (None, 51.5):
        body = payloads.health({**report, "temperature_c": celsius}, 1.0)
        [(metric, _, tags, fields)] = points("mien/hall/health", encode(body))
        assert (metric, tags) == ("mien_health", {"device_id": "hall"})
        known = {"fps": 14.5, "memory_mb": 80.5, "outbox_depth": 3}
        known["dropped_events"] = report["counts"]["dropped_events"]
        assert fields == (known if celsius is None else {**known, "temperature_c": celsius})
