from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from device.errors import UsageError
from training.__main__ import main
from training.classifier.recipe import (
    Recipe,
)
from training.classifier.robustness import CONDITIONS
from training.classifier.train import add_arguments, recipe_of

pytestmark = pytest.mark.usefixtures("untraced")


def test_a_recipe_file_is_kept_whole_but_for_what_is_named(tmp_path: Path) -> None:
    recipe = replace(Recipe(), epochs=7, clean=False, relabel=True)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(asdict(recipe)))
    parser = argparse.ArgumentParser()
    add_arguments(parser.add_subparsers())
    words = ["classifier", "--recipe", str(path), "--epochs", "9"]
    assert recipe_of(parser.parse_args(words)) == replace(recipe, epochs=9)
    with pytest.raises(UsageError, match="not a run directory"):
        recipe_of(parser.parse_args([*words, "--teacher", str(tmp_path / "nobody")]))


def test_the_command_trains_measures_and_draws(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["classifier", "--network", "expression-tiny", "--data", str(drawn[0]), "--votes",
             str(drawn[1]), "--run", str(run), "--epochs", "1", "--batch-size", "16",
             "--precision", "float32"]  # fmt: skip
    assert main(words) == 0
    assert "validation: FER+, more than half of the votes, head crowd" in capsys.readouterr().out
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "settings.json", "history.csv", "dropped.csv", "averaged.weights.h5", "last.weights.h5",
        "metrics-validation.json", "curves.png", "augmentation.png",
        "confusion-validation-crowd-majority.png", "reliability-validation-fer2013-fer2013.png",
    }  # fmt: skip
    measured = json.loads((run / "metrics-validation.json").read_text())
    assert set(measured["crowd"]) == {"temperature", "fer2013", "majority", "clean", "robustness"}
    worse = measured["crowd"]["robustness"]
    assert set(worse) == set(CONDITIONS)
    assert worse["as published"] == measured["crowd"]["majority"]["accuracy"]
    settings = json.loads((run / "settings.json").read_text())
    assert settings["versions"]["keras"]

    assert main(words) == 2
    assert "already holds a run; continue it with --resume" in capsys.readouterr().err


def test_missing_data_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classifier", "--data", str(tmp_path / "fer2013.csv")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Put Kaggle's fer2013.csv" in error
