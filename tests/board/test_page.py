"""docs/board.md says what counts.json holds, and calls its times estimates."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from device.__main__ import COMMANDS
from tests.board import emulator, root
from tests.board.__main__ import PAGE, RESULT, main
from tests.board.boards import BOARDS, PUBLISHED
from tests.board.errors import BoardCostError
from tests.board.layers import LAYERS
from tests.board.page import page
from tests.board.summary import Counted


def test_the_page_is_made_from_the_counts() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(RESULT.read_text(encoding="utf-8")))


def test_the_page_names_every_board_and_every_published_time() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "{" not in text.replace("{name}", "")  # no mark was left unfilled
    assert all(board.name in text for board in BOARDS)
    assert all(item.source in text and item.network in text for item in PUBLISHED)


def test_the_page_shows_every_layer_that_was_counted() -> None:
    text, counted = PAGE.read_text(encoding="utf-8"), json.loads(RESULT.read_text(encoding="utf-8"))
    assert set(counted["layers"]) == {layer.file for layer in LAYERS}
    assert len(counted["layers"]) == len(LAYERS)  # no two share a file
    assert all(f"| {layer.name} |" in text for layer in LAYERS)


def test_what_the_page_says_of_layers_is_what_was_counted() -> None:
    counted = json.loads(RESULT.read_text(encoding="utf-8"))
    files = {layer.name: layer.file for layer in LAYERS}

    def cost(core: str, name: str) -> float:
        return Counted(counted["cores"][core]).get(f"network/{files[name]}").total

    def for_a_multiply_add(core: str, name: str) -> float:
        return cost(core, name) / counted["layers"][files[name]]

    for size in ("24×24×48", "12×12×96", "6×6×160"):
        plain, depthwise = f"plain 3×3; {size}", f"depthwise 3×3; {size}"
        for core, least, most in (("a72", 4.5, 5.5), ("a76", 13.5, 17.5)):
            dear = for_a_multiply_add(core, depthwise) / for_a_multiply_add(core, plain)
            assert least < dear < most
        saved = cost("a72", f"depthwise 3×3, then 1×1; {size}") / cost("a72", plain)
        assert 0.14 < saved < 0.25
        inverted = cost("a72", f"inverted residual, 4 times wider; {size}")
        assert 0.49 < inverted / cost("a72", f"residual, two plain 3×3; {size}") < 0.67
    width = "plain 3×3; 24×24×{}".format
    assert cost("a72", width(44)) == pytest.approx(cost("a72", width(48)), rel=0.01)
    assert cost("a72", width(50)) == pytest.approx(cost("a72", width(56)), rel=0.01)
    assert all(cost(core, width(50)) > 1.33 * cost(core, width(48)) for core in counted["cores"])
    assert all(
        1.1 < cost(core, width(48)) / cost(core, width(40)) < 1.25 for core in ("a53", "a76")
    )
    stem, full = (
        "5×5, stride 2, 1 to 48",
        "3×3, 1 to {}, at full resolution, then 2×2 pooled".format,
    )
    dear = for_a_multiply_add("a72", stem) / for_a_multiply_add("a72", width(48))
    assert dear == pytest.approx(12, rel=0.1)
    assert 0.5 < cost("a72", full(16)) / cost("a72", stem) < 0.6
    assert cost("a72", full(48)) / cost("a72", stem) == pytest.approx(1.6, abs=0.05)
    attention = cost("a72", "squeeze-excitation; 24×24×48")
    assert cost("a72", width(48)) / attention == pytest.approx(14, rel=0.1)


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


def test_a_network_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["board", "--network", "nosuch.tflite"])
    assert main() == 1
    assert capsys.readouterr().err == "board-cost: nosuch.tflite: no such file\n"


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
