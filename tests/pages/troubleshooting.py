"""docs/troubleshooting.md: each message of the device with its remedy."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pages.messages import ROOT, Message, messages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REMEDIES = ROOT / "docs" / "remedies.toml"
HEAD = """\
# Troubleshooting

<!-- Written by `python -m tests.pages` from device/ and docs/remedies.toml; do not edit. -->

First: `mien doctor` says what works on this board, `mien check --config FILE` what is wrong in the settings, and `journalctl -u mien` what the service has said. The same words stand in `problem` of the topics `state` and `health`, in Home Assistant's *Problem*, and on the screen.

`INFO: Created TensorFlow Lite XNNPACK delegate for CPU.` on the terminal is the runtime's own line, which it has no switch for: all is well.

Below is each message with what to do; `…` stands for what differs. Nothing helps? Open an issue with the output of `mien doctor`.
"""


@dataclass(frozen=True)
class Remedy:
    """What to do about some messages.

    Attributes:
        topic: heading of the page.
        patterns: of messages; ``*`` stands for anything.
        text: what to do.
    """

    topic: str
    patterns: tuple[str, ...]
    text: str

    def fits(self, message: Message) -> bool:
        """True when one of the patterns is this message."""
        return any(_matches(pattern, message.text) for pattern in self.patterns)


def _matches(pattern: str, text: str) -> bool:
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.DOTALL))


def read_remedies(path: Path = REMEDIES) -> list[Remedy]:
    """In the order of the file, which is that of the page."""
    topics = tomllib.loads(path.read_text(encoding="utf-8"))["topic"]
    return [
        Remedy(topic["title"], tuple(remedy["say"]), remedy["do"])
        for topic in topics
        for remedy in topic["remedy"]
    ]


def without_remedy(found: Sequence[Message], remedies: Sequence[Remedy]) -> list[Message]:
    """Messages that nobody has said anything about."""
    return [message for message in found if not any(r.fits(message) for r in remedies)]


def unused(found: Sequence[Message], remedies: Sequence[Remedy]) -> list[str]:
    """Patterns of messages that are no longer said."""
    patterns = [pattern for remedy in remedies for pattern in remedy.patterns]
    return [p for p in patterns if not any(_matches(p, message.text) for message in found)]


def page() -> str:
    """The whole page."""
    remedies, said = read_remedies(), {}
    for message in messages():
        remedy = next((r for r in remedies if r.fits(message)), None)
        said.setdefault(remedy, []).append(message)
    parts, topic = [HEAD], ""
    for remedy in remedies:
        if remedy.topic != topic:
            topic = remedy.topic
            parts.append(f"\n## {topic}\n\n| it says | what to do |\n| --- | --- |\n")
        shown = dict.fromkeys(_shown(message.text) for message in said.get(remedy, []))
        texts = "<br>".join(shown)
        parts.append(f"| {texts} | {remedy.text} |\n")
    return "".join(parts)


def _shown(text: str) -> str:
    words = re.sub(r"\{[^}]*\}", "…", text).replace("|", "\\|")
    return f"`` {words} ``" if "`" in words else f"`{words}`"
