"""The chain in processes of its own: killed, gone on with, and through the gate."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.drawn import drawn_rows, write_csv, write_votes
from tests.training.drawn_recipes import TINY, write_recipe_file
from training.runs import read_history

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_killed_chain_goes_on_through_the_real_gate(tmp_path: Path) -> None:
    rows = drawn_rows(20)
    data = write_csv(tmp_path / "fer2013.csv", rows)
    votes = write_votes(tmp_path / "fer2013new.csv", [label for label, _, _ in rows])
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    write_recipe_file(recipes, "old", replace(TINY, epochs=24), {"old": "crowd"})
    young = replace(TINY, epochs=8, learning_rate=0.02, start_from="old.tflite",
                    view_teachers=("old.tflite",))  # fmt: skip
    write_recipe_file(recipes, "young", young, {"young": "crowd", "young-fer2013": "fer2013"}, True)
    runs, models = tmp_path / "runs", tmp_path / "models"
    here = ["--recipes", str(recipes), "--runs", str(runs)]
    command = [sys.executable, "-m", "training", "chain", *here, "--data", str(data),
               "--votes", str(votes)]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT) as begun:
        end_s = time.monotonic() + 600
        while len(read_history(runs / "old")) < 3 and time.monotonic() < end_s:
            time.sleep(0.2)
        begun.terminate()
    assert begun.returncode == 130
    stopped_at = len(read_history(runs / "old"))
    time.sleep(3)
    assert len(read_history(runs / "old")) == stopped_at  # the step ended with the chain

    assert subprocess.run(command, cwd=ROOT).returncode == 0
    assert [row["epoch"] for row in read_history(runs / "old")] == [*range(1, 25)]
    ship = [sys.executable, "-m", "training", "ship", *here, "--models", str(models)]
    assert subprocess.run(ship, cwd=ROOT).returncode == 0
    assert sorted(path.name for path in models.iterdir()) == [
        "young-fer2013.json", "young-fer2013.tflite", "young.json", "young.tflite",
    ]  # fmt: skip
