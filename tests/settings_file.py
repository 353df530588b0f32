"""Writes the shipped settings file: every key commented, with default, unit and range.

``python -m tests.settings_file > systemd/mien.toml``
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import Any

from device.settings.tree import Settings

WIDTH = 96

HEADER = """\
Settings of Mien. Every key is optional and stands here with its default: take the "#" away
and change the value. Afterwards: mien check --config FILE, then: sudo systemctl restart mien

The broker's password is best kept out of this file: put it alone into
/etc/mien/mqtt-password (owner root, mode 0600) and set, under [mqtt],
password_file = "/run/credentials/mien.service/mqtt-password"
"""


def example() -> str:
    """The text of the file; ``load_settings`` reads it as the defaults."""
    lines = [f"# {line}".rstrip() for line in HEADER.splitlines()]
    for section in dataclasses.fields(Settings):
        table: Any = section.default
        lines += ["", f"# {_first_sentence(table)}", f"[{section.name}]"]
        for key in dataclasses.fields(table):
            lines += textwrap.wrap(
                _explain(key), WIDTH, initial_indent="# ", subsequent_indent="# "
            )
            lines.append(f"#{key.name} = {_toml(key.default)}")
    return "\n".join(lines) + "\n"


def _explain(key: dataclasses.Field[Any]) -> str:
    """``px of the frame: smaller faces are not looked for (24 to 480)``."""
    low, high, choices = (key.metadata[name] for name in ("low", "high", "choices"))
    allowed = ""
    if choices:
        allowed = f" ({', '.join(choices)})"
    elif low is not None:
        allowed = f" ({low:.10g} to {high:.10g})"
    return f"{key.metadata['help']}{allowed}"


def _toml(value: Any) -> str:
    """JSON's spelling of texts, numbers and booleans is also TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _first_sentence(table: Any) -> str:
    return (type(table).__doc__ or "").split("\n", 1)[0]


if __name__ == "__main__":
    print(example(), end="")
