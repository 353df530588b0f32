from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from device.errors import UsageError
from training.classifier.read_recipe import learnt_validation, read_recipe
from training.classifier.recipe import Recipe
from training.runs import (
    has_run,
    is_finished,
    mark_finished,
    new_run,
    newest_run,
    read_history,
    read_settings,
    write_history,
    write_settings,
)


def begun(run: Path, kind: str = "landmarks") -> Path:
    """A run directory with settings."""
    run.mkdir(exist_ok=True)
    write_settings(run, {"kind": kind, "seed": 1}, {"path": "fer2013.csv"}, f"{kind} --seed 1")
    return run


def test_settings_come_back_with_versions_and_revision(tmp_path: Path) -> None:
    settings = read_settings(begun(tmp_path), "landmarks")
    assert settings["recipe"] == {"kind": "landmarks", "seed": 1}
    assert settings["data"] == {"path": "fer2013.csv"}
    assert settings["command"] == "landmarks --seed 1"
    assert settings["git_revision"]
    assert {"python", "keras", "backend", "numpy"} == set(settings["versions"])


def test_a_run_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a run of landmarks, not of face-hog"):
        read_settings(begun(tmp_path), "face-hog")
    write_settings(tmp_path, asdict(Recipe()), {}, "classifier")
    with pytest.raises(UsageError, match="a run of classifier, not of landmarks"):
        read_settings(tmp_path, "landmarks")
    (tmp_path / "settings.json").write_text("[1]")
    with pytest.raises(UsageError, match="not a run directory"):
        read_settings(tmp_path)


def test_a_new_run_is_named_by_its_kind_and_never_overwrites_another(tmp_path: Path) -> None:
    run = new_run(None, "face-hog", tmp_path)
    assert run.parent == tmp_path
    assert run.name.endswith("-face-hog")
    assert not has_run(run)
    begun(run)
    assert has_run(run)
    with pytest.raises(UsageError, match=f"already holds a run; continue it with --resume {run}"):
        new_run(run, "classifier")
    with pytest.raises(UsageError, match="already holds a run; name another with --run"):
        new_run(run, "face-hog", resumes=False)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the run directory: Not a directory"):
        new_run(tmp_path / "file" / "run", "face-hog")


def test_the_newest_run_is_the_one_that_was_written_to_last(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runs here yet"):
        newest_run(tmp_path)
    for age, name in enumerate(("third", "second", "first")):
        os.utime(begun(tmp_path / name) / "settings.json", (1000 - age, 1000 - age))
    assert newest_run(tmp_path) == tmp_path / "third"


def test_a_run_is_finished_once_it_says_so(tmp_path: Path) -> None:
    before = read_settings(begun(tmp_path))
    assert not is_finished(tmp_path)
    mark_finished(tmp_path)
    assert is_finished(tmp_path)
    assert read_settings(tmp_path) == {**before, "finished": True}


def test_a_history_comes_back_without_what_a_row_lacks(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    rows = [{"epoch": 1.0, "loss": 2.5}, {"epoch": 2.0, "loss": 1.25, "validation": 0.5}]
    write_history(tmp_path, rows)
    assert read_history(tmp_path) == rows
    assert (tmp_path / "history.csv").read_text().splitlines()[0] == "epoch,loss,validation"
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_a_recipe_comes_back_from_its_run_alone(tmp_path: Path) -> None:
    recipe = replace(Recipe(), epochs=7, learn_validation=0.8)
    write_settings(tmp_path, asdict(recipe), {}, "classifier")
    assert read_recipe(tmp_path) == recipe
    assert learnt_validation(tmp_path) == 0.8
    assert learnt_validation(tmp_path / "no.tflite") == 0.0
    with pytest.raises(UsageError, match="not a classifier's run"):
        read_recipe(begun(tmp_path))
