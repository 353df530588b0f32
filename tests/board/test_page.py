"""docs/board.md says what counts.json holds, and calls its times estimates."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from device.__main__ import COMMANDS
from tests.board import emulator, root
from tests.board.__main__ import PAGE, RESULT
from tests.board.boards import BOARDS, PUBLISHED
from tests.board.errors import BoardCostError
from tests.board.page import page


def test_the_page_is_made_from_the_counts() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(RESULT.read_text(encoding="utf-8")))


def test_the_page_names_every_board_and_every_published_time() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "{" not in text.replace("{name}", "")  # no mark was left unfilled
    assert all(board.name in text for board in BOARDS)
    assert all(item.source in text and item.network in text for item in PUBLISHED)


def test_times_are_called_estimates() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert "estimate" in lines[0]
    heading = ""
    for line in lines:
        heading = line if line.startswith("#") else heading
        if line.startswith("| board"):
            assert "estimated" in heading or heading == "## In short"
    assert any(line.startswith("Estimates") for line in lines)


def test_the_form_for_reports_names_real_commands() -> None:
    form = root.REPOSITORY / ".github" / "ISSUE_TEMPLATE" / "board-report.yml"
    named = set(re.findall(r"\bmien ([a-z]+)", form.read_text(encoding="utf-8")))
    assert named == {"bench", "doctor"}
    assert named <= set(COMMANDS)


def test_two_runs_differ_by_less_than_two_per_cent() -> None:
    assert json.loads(RESULT.read_text(encoding="utf-8"))["repeat"]["per_cent"] < 2


def test_a_machine_without_the_emulator_and_without_root_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(emulator, "which", lambda tool: None)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(BoardCostError, match="qemu-user and gcc missing: apt install qemu-user"):
        emulator.prepare(tmp_path)


@pytest.mark.parametrize(
    ("version", "help_text"),
    [
        ("qemu-aarch64 version 10.0.13", "-cpu model"),
        ("qemu-aarch64 version 9.0.0", "-plugin file"),
    ],
)
def test_an_emulator_that_cannot_load_the_plug_in_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, help_text: str
) -> None:
    monkeypatch.setattr(emulator, "which", lambda tool: f"/usr/bin/{tool}")
    says = {"--version": version, "-help": help_text}
    monkeypatch.setattr(emulator, "call", lambda command, failure: says[command[1]])
    with pytest.raises(BoardCostError, match="use Debian 12"):
        emulator.prepare(tmp_path)


def test_a_machine_without_apt_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(root, "which", lambda tool: None)
    with pytest.raises(BoardCostError, match="Debian or Ubuntu"):
        root.make_root(tmp_path)


def test_a_failed_command_gives_one_sentence_and_its_last_line() -> None:
    with pytest.raises(BoardCostError, match=r"^is there a network\? \(no route\)$"):
        root.call(["sh", "-c", "echo first >&2; echo no route >&2; exit 3"], "is there a network?")
