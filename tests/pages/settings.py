"""docs/settings.md, made from the settings tree."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from device.daemon.appliance import SETTABLE
from device.settings import Settings

HEAD = """\
# Settings

<!-- Written by `python -m tests.pages` from device/settings/tree.py; do not edit. -->

One TOML file, every key optional; an installed device reads `/etc/mien/mien.toml`, which lists them all. An unknown key or a value out of range stops the start and says file, line, key and what is allowed: try `mien check --config FILE`.

- The environment overrides the file: `MIEN_MQTT__PASSWORD=secret` is `password` in `[mqtt]`. Text is UTF-8.
- What was changed over MQTT or on the page is remembered (`settings.json` in `device.state_dir`) and stands above both. A run without a settings file, as `make run`, neither reads nor keeps it: it begins the same each time. These keys can be changed so, and act at once: {settable}; see [topics and payloads](mqtt.md). `mien check`, `mien doctor` and the first lines of the journal tell which of them stand above the file.
- Back to the file's values: set the key to them in the same way. Or forget all that was changed, a pause too: `sudo systemctl stop mien`, delete `settings.json` (installed: `sudo rm /var/lib/mien/settings.json`), `sudo systemctl start mien`.
- After a change of the file: `sudo systemctl restart mien`.

"""


def page() -> str:
    """The whole page."""
    settable = ", ".join(f"`{name}`" for name in SETTABLE)
    parts = [HEAD.format(settable=settable)]
    sections = dataclasses.fields(Settings)
    parts += [_section(section.name, getattr(Settings(), section.name)) for section in sections]
    return "\n".join(parts)


def _section(name: str, values: Any) -> str:
    rows = ["| key | default | allowed | meaning |\n| --- | --- | --- | --- |\n"]
    for field in dataclasses.fields(values):
        default = json.dumps(getattr(values, field.name))
        help_text = field.metadata["help"].replace("|", "\\|")
        rows.append(f"| `{field.name}` | `{default}` | {_allowed(field)} | {help_text} |\n")
    return f"## `[{name}]`\n\n{type(values).__doc__}\n\n{''.join(rows)}"


def _allowed(field: dataclasses.Field[Any]) -> str:
    choices, low, high = (field.metadata[key] for key in ("choices", "low", "high"))
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if low is not None:
        return f"{low:g} to {high:g}"
    return {"bool": "`true`, `false`", "str": "text"}.get(str(field.type), "")
