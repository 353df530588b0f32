"""What README says is there: files, make targets, commands, settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from device.__main__ import COMMANDS
from device.mqtt.command_queue import NAMES
from device.mqtt.schemas import read_schema
from device.settings import Settings
from tests.words import leftovers

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:device|training|export|tests|systemd)/[\w./*-]*)`", text)
    assert len(named) > 20
    assert [path for path in named if not any(ROOT.glob(path.replace("NAME", "*")))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_make_targets_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, f"{page.name} speaks of `make {target}`"
    for command in re.findall(r"(?:`|^)(?:sudo )?mien ([a-z]+)", text, re.MULTILINE):
        assert command in COMMANDS, f"{page.name} speaks of `mien {command}`"


def test_every_command_stands_on_its_page() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"`mien {command}" in text, command


def test_every_command_over_mqtt_stands_on_the_overview() -> None:
    text = (ROOT / "docs" / "overview.md").read_text(encoding="utf-8")
    [row] = re.findall(r"^\| `command/<name>`.*\| `([a-z -]+)` \|$", text, re.MULTILINE)
    assert sorted(row.split()) == sorted(NAMES)


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony) == sorted(explained)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_on_a_page_are_settings(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    sections = vars(Settings())
    said = read_schema("health")["properties"]  # `health.problem` is a key of the payload
    for section, key in re.findall(r"`([a-z_]+)\.([a-z_]+)[ `]", text):
        if section in sections and not (section == "health" and key in said):
            assert hasattr(sections[section], key), f"{section}.{key}"


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^- \[[^]]+\]\(([^)]+)\)", index, re.MULTILINE))
    there = {path.name for path in (ROOT / "docs").glob("*.md")} | {"examples/README.md"}
    assert there - listed == {"index.md"}


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_can_be_read_and_ask_for_mien_doctor(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "body"} <= set(form)
    labels = [field["attributes"].get("label", "") for field in form["body"]]
    assert "mien doctor" in labels
    ids = [field["id"] for field in form["body"] if "id" in field]
    assert len(ids) == len(set(ids))


def test_the_shell_example_lists_all_its_words() -> None:
    script = ROOT / "docs" / "examples" / "mosquitto.sh"
    said = subprocess.check_output(["sh", script], text=True)
    words = re.findall(r"^([a-z |]+)\)", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"events", "pause | resume | identify"} <= set(words)
    for word in words:
        assert re.search(rf"^{re.escape(word)}: +\S", said, re.MULTILINE), word
    assert "BROKER, PORT and DEVICE" in said


def test_the_readme_and_the_changelog_of_a_release_fit_a_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = changelog[changelog.index("## [0.1.0]") :]
    assert len(first.splitlines()) <= 50


GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


def test_settings_and_topics_in_the_glossary_exist() -> None:
    sections = vars(Settings())
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)(?= = |`)", GLOSSARY)
    settings = [(section, key) for section, key in named if section in sections]
    assert len(settings) > 20
    for section, key in settings:
        assert hasattr(sections[section], key), f"{section}.{key}"
    for section in re.findall(r"`\[([a-z_]+)\]`", GLOSSARY):
        assert section in sections
    schemas = {path.stem for path in (ROOT / "device" / "mqtt" / "schemas").glob("*.json")}
    for topic in re.findall(r"topic `([a-z]+)`", GLOSSARY):
        assert topic in schemas, topic


def test_the_glossary_says_each_word_once_in_four_columns() -> None:
    rows = [line.strip("| ").split(" | ") for line in GLOSSARY.splitlines() if line[:2] == "| "]
    words = [row[0] for row in rows if row[0] not in ("word", "---")]
    assert len(words) > 80
    assert len(words) == len(set(words))
    assert all(len(line.split("|")) == 6 for line in GLOSSARY.splitlines() if line[:2] == "| ")


def test_words_that_went_do_not_come_back() -> None:
    found = leftovers(ROOT)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("device/a.py", "class TwinWatch: ...\n", "device/a.py:1: Twin (say duplicate"),
        ("device/a.py", "def carry_back(): ...\n", "device/a.py:1: carry back (say paste back)"),
        ("device/a.py", '"""Sums.\n\nPure.\n"""\n', "device/a.py:3: Pure. (say"),
        ("device/mailbox.py", "A = 1\n", "device/mailbox.py: mailbox (say client"),
        ("docs/a.md", "The device's cadence is slow.\n", "docs/a.md:1: cadence (say detection"),
        ("README.md", "Set from afar.\n", "README.md:1: from afar (say remotely"),
        ("training/a.py", "A = 1  # what the crowd says\n", "training/a.py:1: crowd (say FER+"),
    ],
)
def test_a_word_that_came_back_is_told(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    assert any(line.startswith(told) for line in leftovers(tmp_path)), leftovers(tmp_path)


def test_names_on_the_wire_and_purely_other_words_stay(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Arrival: the key `doubt`, head `crowd`, impure.\n")
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "a.py").write_text('A = {"doubt": None}\nB = A["crowd"]\n')
    assert leftovers(tmp_path) == []
