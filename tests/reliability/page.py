"""Writes docs/reliability.md from the attacks and from what their tests said last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.reliability.attacks import ATTACKS, Attack

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
TEMPLATE = Path(__file__).with_name("template.md")
HEAD = "| tried | what its tests demand | last run | command |\n| --- | --- | --- | --- |\n"

Figures = dict[str, dict[str, Any]]  # by the attack's key


def read_figures() -> Figures:
    """What ``python -m tests.reliability`` has kept."""
    found: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def make_page(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page."""
    lines = [_line(attack, figures.get(attack.key)) for attack in ATTACKS]
    return TEMPLATE.read_text(encoding="utf-8").replace("{TABLE}", HEAD + "\n".join(lines))


def _line(attack: Attack, run: Mapping[str, Any] | None) -> str:
    command = f"`python -m tests.reliability {attack.key}`"
    return f"| {attack.done} | {attack.demanded} | {_last(run)} | {command} |"


def _last(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "not yet"
    counts = [
        f"{run[kind]} test{'s' * (run[kind] > 1)} {kind}"
        for kind in ("passed", "failed", "skipped")
        if run[kind]
    ]
    told = [f"{number:,} {name}" for name, number in run["told"].items()]
    return f"{run['date']}: " + "; ".join(filter(None, (", ".join(counts), ", ".join(told))))
