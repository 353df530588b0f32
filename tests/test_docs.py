"""What README says is there: files, make targets, commands, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from device.__main__ import COMMANDS
from device.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_make_targets_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, f"{page.name} speaks of `make {target}`"
    for command in re.findall(r"(?:`|^)(?:sudo )?mien ([a-z]+)", text, re.MULTILINE):
        assert command in COMMANDS, f"{page.name} speaks of `mien {command}`"


def test_every_command_stands_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"`mien {command}" in text, command


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony) == sorted(explained)


def test_settings_in_the_readme_are_settings() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    sections = vars(Settings())
    for section, key in re.findall(r"`([a-z_]+)\.([a-z_]+)[ `]", text):
        if section in sections:
            assert hasattr(sections[section], key), f"{section}.{key}"
