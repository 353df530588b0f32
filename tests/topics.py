"""``python -m tests.topics``: writes docs/mqtt.md from the schemas; a test keeps it up to date."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from device.mqtt.discovery import discovery_payload
from device.mqtt.identity import Identity, Topics
from device.mqtt.payloads import Payloads, WallClock
from device.mqtt.schemas import names, read_schema
from device.vocabulary import Expression
from tests.scenes import ONLINE, change, scene_with

PAGE = Path(__file__).parents[1] / "docs" / "mqtt.md"
OUT = ("availability", "camera", "state", "event", "health", "response")
ENVELOPE = ("schema", "device_id", "boot_id", "seq", "at", "clock_synced", "historical")

HEAD = """\
# Topics and payloads

<!-- Written by `python -m tests.topics` from device/mqtt/schemas/; do not edit. -->

Every topic begins with `<prefix>/<device_id>/`: the prefix is `mqtt.prefix` (`mien`), the id is
`device.id`, or twelve digits made from the machine id. Follow one device with

```sh
mosquitto_sub -h BROKER -t 'mien/+/#' -v
```

or `mien watch --broker BROKER`. The JSON Schemas are in
[`device/mqtt/schemas/`](../device/mqtt/schemas/); ready examples for Home Assistant, Node-RED and
Telegraf in [`docs/examples/`](examples/), fleets in [`docs/fleet.md`](fleet.md).

| topic | retained | QoS | what |
| --- | --- | --- | --- |
"""

RULES = """\

## What you can rely on

- **Availability.** The device says `online` at every connect and with every health report, and
  `stopped` after a clean end. `offline` is its last will: the broker says it when the device is
  lost. All three are retained, so a subscriber that comes later knows, too.
- **Retained and not.** `state`, `camera`, `health` and `availability` are retained, and published
  again after every connect. `event` is never retained: an automation that triggers on `event` does
  not trigger at a restart of broker, device or subscriber.
- **At least once.** Events are sent at QoS 1 and kept until the broker has acknowledged them: in
  memory (`outbox.max_events`), or in a file that survives a power cut (`outbox.path`). They go
  out in order. After a lost connection the last few may come twice: drop what has the same
  `device_id`, `boot_id` and `seq`. A gap in `seq` is a loss. When the outbox is full, the oldest
  events are dropped and counted in `health.counts.dropped_events`.
- **Time.** `at` is when it happened, not when it was sent. `historical` is true when the event
  waited for the broker: during an outage, also one that the device had not noticed yet, after a
  refusal for now, or for some seconds behind others; `clock_synced` is false while the board has not yet got the time from the
  network (a Raspberry Pi before the 5 has no clock of its own).
- **Identity.** Two devices with one id (a copied image) throw each other off the broker. Both say
  so in the log and in `problem`; give each its own `device.id`.
- **Pairs.** Each `appeared` is followed by one `vanished` with the same `track_id`, also when the
  device is paused or ends, or when its source ends. After a crash or a power cut there is no
  `vanished`: a new `boot_id` means that all faces of the old one are gone.
- **Access.** A device publishes to `<prefix>/<device_id>/#` and, for Home Assistant, to
  `homeassistant/device/mien_<device_id>/config`; it subscribes to
  `<prefix>/<device_id>/command/+`, `<prefix>/<device_id>/health` and `homeassistant/status`. With
  mosquitto: `pattern readwrite mien/<device_id>/#`. Whoever may publish to `command/` controls
  the device.
- **Encryption.** `mqtt.tls = true` encrypts and checks the broker's certificate; without it
  `mqtt.ca_file` and `mqtt.cert_file` are refused, since nothing would be encrypted.
"""

CASES = """\

## What happens when

| when | `availability` | `camera` | `state` | `event` |
| --- | --- | --- | --- | --- |
| paused | stays `online` | `paused` | no faces | `vanished` for who was in view; then nothing |
| resumed | stays `online` | `online` | as seen | `appeared`, with new `track_id`s |
| the camera is lost | stays `online` | `offline` | `problem`; faces go | `vanished` after `smoothing.vanish_after_s` |
| no model or detector works (safe mode) | `online` | `offline` | `problem`; no faces | `vanished` for who was in view; then nothing |
| clean end (SIGTERM, end of the source, `restart`) | `stopped` | `offline` | no faces | `vanished` for who was in view |
| crash, power cut, network gone | `offline`, by the last will | stays as it was | stays as it was | nothing |
| start | `online` | `offline` until the first frame | from the first frame on | `appeared`, with a new `boot_id`, `track_id` from 1 |
| outage of the broker | `offline` by the last will, then `online` | published again | the newest is published | what waited, with `historical` true and its own time |
| a command is refused | | | | nothing changes; `response/<name>` says why |
| the broker refuses for now (quota) | | | | kept, and tried again with growing pauses, in order |
| the broker refuses for ever (ACL, its limits) | | | | that one is lost and counted in `health.counts.refused_publications`; the rest goes on |

What the broker refuses is told in `problem`, and once in the log, with topic and reason. Over MQTT
3.1.1 a broker cannot tell the device that it refuses a publication.

A `pause` that cannot be remembered (a full disk) is answered with an error, but the device is paused
until its next start. A `resume` or `set` that cannot be remembered changes nothing.

While the broker is away the device goes on. Afterwards it publishes the newest `state`, `camera` and
`health`, and every event in its order. If the device ends while the broker is away, the events in
memory are lost; those in a file (`outbox.path`) go out after the next start.

A picture on `synthesis` goes out over the connection of that moment or never; `published` in the
answer says whether there was one. Answers wait for the next connection; what three connections could
not carry is given up, with a line in the log.

## Home Assistant

Home Assistant finds the device by itself (`home_assistant.enabled`); `home_assistant.area` suggests a
room. It makes the entity ids from `device.name` and the entity's name, as `sensor.hall_expression`.

When an entity is unavailable:

- After `stopped` or `offline` in `availability`, every entity of the device is unavailable.
- While `camera` is `paused` or `offline`, the entities that show what is seen are unavailable.
  `Face present` is then unavailable, not off.
- `Expression event` stays available while the camera is paused or lost, so that the `vanished` of
  that moment is heard. It leaves out events that are `historical`: it fires only for what happens
  now.

Home Assistant itself knows only the words `online` and `offline`. So the announcement carries a
template that takes `stopped` and `paused` for `offline`.

A refused command changes no entity.

`mien discovery clear` makes Home Assistant forget a device. A device that runs announces itself again
when Home Assistant starts and at its own next connect; the command says so. So stop the device first,
or set `home_assistant.enabled = false`: then the device takes its announcement back itself. It also
takes the old announcement back when `home_assistant.prefix` or its id has changed. If the broker is
away, it does so at the next connect, also after restarts.

`mien discovery clear --all` also empties what a retired device has left at the broker
(`availability`, `camera`, `state`, `health`). `MIEN_DEVICE__ID=ID` names another device than this one.

| entity | kind | remarks |
| --- | --- | --- |
"""

ENVELOPE_HEAD = """\

## In every JSON payload

"""

COMMANDS_HEAD = """\

## Commands

Publish to `command/<name>`, **not retained**. The answer comes on `response/<name>` with your
`transaction`. A command has at most 4096 bytes. The device takes a burst of 20 commands, then five a
second. A command that is malformed, unknown or out of range is answered with an error and changes
nothing. A command without arguments is `{}`. An empty message is ignored, so you can take back a
command that was retained by mistake.

Over MQTT 5 a command with a response topic is answered on that topic, with its correlation data; JSON
and PNG are published with their content type. The device needs the right to publish to that topic. If
the broker refuses it, the answer is lost: the log says so once, and
`health.counts.refused_publications` counts it. Answers to names that are no command share one `seq`.

```sh
mosquitto_sub -h BROKER -t 'mien/DEVICE/response/#' -v &
mosquitto_pub -q 1 -h BROKER -t mien/DEVICE/command/set \\
    -m '{"transaction": "1", "settings": {"smoothing.threshold": 0.6}}'
```

"""


def page() -> str:
    """The whole page."""
    return "".join(_page())


def _page() -> Iterator[str]:
    yield HEAD
    for name in OUT:
        yield _row(read_schema(name))
    yield "| `command/<name>` | no | 1 | from you; see [Commands](#commands) |\n"
    yield (
        "| `synthesis` | no | 1 | a PNG, marked as synthetic; only with "
        "`privacy.publish_synthesis = true` |\n"
    )
    yield RULES
    yield CASES
    yield from _entities()
    yield ENVELOPE_HEAD
    event = read_schema("event")["properties"]
    yield _table({key: event[key] for key in ENVELOPE})
    for name in OUT:
        yield from _section(name)
    yield COMMANDS_HEAD
    for name in names():
        if name.startswith("command-"):
            yield from _command(read_schema(name))


def _entities() -> Iterator[str]:
    announced = discovery_payload(Identity("id"), Topics("mien", "id"))["cmps"]
    for entity in announced.values():
        if "name" in entity:
            remarks = [entity.get("unit_of_measurement", "")]
            remarks += ["off until you turn it on"] * (not entity.get("enabled_by_default", True))
            told = ", ".join(filter(None, remarks))
            yield f"| {entity['name']} | {entity['p']} | {told} |\n"


def _row(schema: dict[str, Any]) -> str:
    mqtt = schema["x-mqtt"]
    first = schema["description"].split(". ")[0].rstrip(".")
    retained = "yes" if mqtt["retained"] else "**never**" if schema["title"] == "event" else "no"
    return f"| `{mqtt['topic']}` | {retained} | {mqtt['qos']} | {first} |\n"


def _section(name: str) -> Iterator[str]:
    schema = read_schema(name)
    yield f"\n## `{schema['title']}`\n\n{schema['description']}\n\n"
    if schema["type"] == "string":
        yield "| payload | meaning |\n| --- | --- |\n"
        for value, meaning in schema["x-values"].items():
            yield f"| `{value}` | {meaning} |\n"
        return
    own = {key: value for key, value in schema["properties"].items() if key not in ENVELOPE}
    yield _table(own)
    if name == "state":
        yield "\nEach of `faces`:\n\n" + _table(own["faces"]["items"]["properties"])
    if name in ("state", "event"):
        yield f"\n```json\n{json.dumps(example(name), indent=2)}\n```\n"


def _command(schema: dict[str, Any]) -> Iterator[str]:
    yield f"### `{schema['title']}`\n\n{schema['description']}\n\n"
    own = {key: v for key, v in schema["properties"].items() if key != "transaction"}
    if "settings" in own:
        own = {f"settings.{k}": v for k, v in own["settings"]["properties"].items()}
    if own:
        yield _table(own) + "\n"


def _table(properties: dict[str, Any]) -> str:
    rows = ["| key | type | meaning |\n| --- | --- | --- |\n"]
    for key, schema in properties.items():
        rows.append(f"| `{key}` | {_kind(schema)} | {schema.get('description', '')} |\n")
    return "".join(rows)


def _kind(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(v)}`" if v is None else f"`{v}`" for v in schema["enum"])
    kind = schema["type"]
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def example(name: str) -> dict[str, Any]:
    """A payload as the daemon builds it, with a fixed time and identity."""
    clock = WallClock(lambda: 100.0, lambda: 1_795_442_709.123, lambda: True)
    payloads = Payloads(Identity("0123456789ab", boot_id="8d5f2f0c8a1e4b6f9b0a"), clock)
    if name == "event":
        return payloads.event(change(track_id=3, at_s=99.9))
    return payloads.state(scene_with(Expression.HAPPY, at_s=100.0), ONLINE)


def main() -> int:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
