from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from training.__main__ import main
from training.reports.faces import SMOOTHING_COLUMNS, smoothing_table

ROOT = Path(__file__).parents[3]


def test_the_page_is_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    numbers, output = tmp_path / "faces", tmp_path / "faces.md"
    shutil.copytree("docs/faces", numbers)
    assert main(["report-faces", "--numbers", str(numbers), "--output", str(output)]) == 0
    assert output.read_text() == (ROOT / "docs/faces.md").read_text()


def test_a_figure_stands_below_its_title_whatever_else_was_measured() -> None:
    row = dict.fromkeys(SMOOTHING_COLUMNS.values(), 0.0) | {"new": 5.0, "delay_s": 0.25}
    head, _, line = smoothing_table([row]).splitlines()
    assert len(head.split("|")) == len(line.split("|"))
    assert line.split("|")[4].strip() == "0.25"
