from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.errors import UsageError
from training.reports.paper_runs import curves_part, hog_part, keep
from training.runs import mark_finished, write_history, write_settings


def epoch(number: int) -> dict[str, float]:
    row = {"epoch": float(number), "loss": 1.5}
    for split in ("training", "validation"):
        row |= {f"{split}_fer2013": 0.5 + number / 100, f"{split}_fer2013_loss": 1.2}
    return row


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    run.mkdir()
    recipe = {"kind": "classifier", "network": "paper", "seed": 7}
    write_settings(run, recipe, {}, "classifier --network paper --data /somewhere/fer2013.csv")
    write_history(run, [epoch(1), epoch(2)])
    return run


def test_figure_9_shows_a_run_with_its_command(run: Path, tmp_path: Path) -> None:
    mark_finished(run)
    kept = keep([run], tmp_path)
    text = curves_part(kept["curves"], tmp_path)
    assert "five-block CNN, 2 epochs, seed 7" in text
    assert "classifier --network paper --data fer2013.csv" in text
    assert "/somewhere" not in text
    assert "52.0 % on validation (best epoch: 52.0 %)" in text
    assert (tmp_path / "figure-9-paper.png").stat().st_size > 1000
    assert "Not run yet: mini-Xception" in text


def test_a_run_that_has_not_ended_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        keep([run], tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run directory"):
        keep([tmp_path / "nothing"], tmp_path)


def test_hog_variants_stand_in_one_table_the_smallest_cells_first(tmp_path: Path) -> None:
    for cell_px, norm in ((16, "l2"), (8, "l2-hys")):
        run = tmp_path / f"hog-{cell_px}"
        run.mkdir()
        measured = {"fer2013": {"accuracy": 0.4 + cell_px / 1000}}
        facts = {"cost": 0.01, "cell_px": cell_px, "norm": norm, "validation": measured}
        (run / "metrics.json").write_text(json.dumps(facts))
    kept = keep([tmp_path / "hog-16", tmp_path / "hog-8"], tmp_path)
    rows = hog_part(kept["hog"]).splitlines()[2:]
    assert rows == ["| 8 px, l2-hys | 40.8 % | – |", "| 16 px, l2 | 41.6 % | – |"]
