from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from training.__main__ import main
from training.reports.published import PRIVATE_COUNTS, TABLE_2, TEST_COUNTS, fits, implied_right

ROOT = Path(__file__).parents[3]


def test_table_2_is_of_the_private_test_alone() -> None:
    fitting = [fits(name, PRIVATE_COUNTS[name]) for name in TABLE_2]
    assert all(len(some) == 1 for some in fitting)
    assert sum(some[0].named for some in fitting) == sum(PRIVATE_COUNTS.values()) == 3589
    assert implied_right() == sum(some[0].right for some in fitting) == 2667


def test_table_2_does_not_follow_from_the_counts_that_the_paper_states() -> None:
    assert sum(TEST_COUNTS.values()) == 7178
    validation = {name: TEST_COUNTS[name] - PRIVATE_COUNTS[name] for name in TABLE_2}
    assert not any(fits(name, counts[name]) for counts in (TEST_COUNTS, validation)
                   for name in TABLE_2)  # fmt: skip


def test_the_page_is_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "paper"
    shutil.copytree("docs/paper", folder)
    output = tmp_path / "paper.md"
    assert main(["paper", "--folder", str(folder), "--output", str(output)]) == 0
    assert output.read_text() == (ROOT / "docs/paper.md").read_text()
    assert (folder / "hog.png").stat().st_size > 1000


def test_what_was_not_run_is_said_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / "template.md").write_text("{table_2}\n{missing}\n")
    results = json.loads((ROOT / "docs/results.json").read_text())
    results["results"] = results["results"][:1]
    (tmp_path / "results.json").write_text(json.dumps(results))
    output = tmp_path / "paper.md"
    words = ["paper", "--folder", str(folder), "--output", str(output)]
    assert main([*words, "--results", str(tmp_path / "results.json")]) == 0
    text = output.read_text()
    assert "| `expression`, PrivateTest |" in text
    assert "five-block CNN, FER2013's labels, PrivateTest: not run" in text
    assert "`python -m training paper --data fer2013.csv --pair " in text
