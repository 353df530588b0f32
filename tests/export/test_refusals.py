"""Every command refuses what it cannot export in one line, and writes nothing."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from device.vision.model_card import read_model
from export import classifier
from export.__main__ import main
from training.gan.recipe import CganLosses, GanRecipe, write_recipe
from training.runs import write_settings

COMMANDS = ("classifier", "generator", "landmarks", "face-hog")
EXPRESSION = Path("device/models/expression.tflite")


@pytest.fixture
def runs(drawn_run: Path, tmp_path: Path) -> dict[str, Path]:
    """A run directory of each kind, with settings only."""
    found = {name: tmp_path / f"run-{name}" for name in COMMANDS}
    for run in found.values():
        run.mkdir()
    shutil.copy(drawn_run / "settings.json", found["classifier"])
    recipe = GanRecipe(kind="cgan", losses=CganLosses())
    write_recipe(found["generator"], recipe, {"path": "fer2013.csv", "votes": ""}, "cgan")
    for name in ("landmarks", "face-hog"):
        write_settings(found[name], {"kind": name}, {"path": "fer2013.csv", "afw": "afw"}, name)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_not_there(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    assert main([command, str(tmp_path / "none"), "--models", str(models)]) == 2
    words = capsys.readouterr().err
    assert "none: not a run directory" in words
    assert len(words.splitlines()) == 1
    assert not models.exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("settings", ['{"recipe": {', "[1]", "null"])
def test_a_run_whose_settings_are_damaged(
    command: str, settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text(settings)
    assert main([command, str(tmp_path), "--models", str(tmp_path / "models")]) == 2
    assert "not a run directory" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_run_of_another_kind(
    command: str, kind: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    if command == kind:
        return
    models = runs[kind] / "models"
    assert main([command, str(runs[kind]), "--models", str(models)]) == 2
    words = capsys.readouterr().err
    assert f"run-{kind}: " in words
    assert "not " in words
    assert len(words.splitlines()) == 1
    assert not models.exists()


@pytest.mark.parametrize("command", ["classifier", "landmarks", "face-hog"])
def test_a_run_without_weights_yet(
    command: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(runs[command]), "--models", str(runs[command] / "models")]) == 2
    assert "no usable weights yet" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    assert main(["classifier", str(drawn_run), "--models", str(file / "models")]) == 1
    words = capsys.readouterr().err
    assert "cannot write there" in words
    assert len(words.splitlines()) == 1
    assert file.read_text() == "kept"


def test_a_generator_needs_a_judge_that_is_there(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generator", str(runs["generator"]), "--judge", str(tmp_path / "none.tflite")]
    assert main(words) == 2
    assert "no judge: " in capsys.readouterr().err


def test_only_a_generator_s_pair_is_converted_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generator", str(EXPRESSION)]) == 2
    assert "not a generator's pair" in capsys.readouterr().err


def test_the_head_of_votes_needs_votes(drawn_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(drawn_run.parent / "fer2013.csv")
    assert main(["classifier", str(drawn_run), "--data", data, "--head", "crowd"]) == 2
    assert "name --votes" in capsys.readouterr().err


@pytest.fixture
def spoiled_run(drawn_run: Path, tmp_path: Path) -> Path:
    """A run whose model always answers the first expression; its heads share one conversion."""
    run = tmp_path / "spoiled"
    shutil.copytree(drawn_run, run)
    model = classifier.load_network(run)
    kernel, bias = model.get_layer("crowd").get_weights()
    for head in ("crowd", "fer2013"):
        model.get_layer(head).set_weights([kernel, bias * 0 + [50, 0, 0, 0, 0, 0, 0]])
    model.save_weights(run / "averaged.weights.h5")
    return run


def test_a_worse_classifier_is_refused_unless_forced(
    drawn_pair: Path, spoiled_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(drawn_pair.parent, models)
    words = ["classifier", str(spoiled_run), "--models", str(models), "--name", "drawn"]
    before = {path.name: path.read_bytes() for path in models.iterdir()}
    assert main(words) == 1
    refusal = capsys.readouterr().err
    assert "accuracy by the FER+ majority on validation is 14.29%" in refusal
    in_place = re.search(r"has ([\d.]+)% on the same 14 pictures", refusal)
    assert in_place
    assert float(in_place[1]) > 50  # all of them, or all but one where another seed has trained it
    assert "--force" in refusal
    assert {path.name: path.read_bytes() for path in models.iterdir()} == before
    assert main([*words[:-1], "other"]) == 0  # another name is not compared
    capsys.readouterr()
    assert main([*words, "--head", "fer2013"]) == 1  # another head cannot be
    assert "cannot be compared" in capsys.readouterr().err
    assert main([*words, "--head", "fer2013", "--force"]) == 0
    shutil.copy(drawn_pair, models / "drawn.tflite")
    shutil.copy(drawn_pair.with_suffix(".json"), models / "drawn.json")
    assert main([*words, "--force"]) == 0
    content, card = read_model(models / "drawn.tflite")
    assert content != before["drawn.tflite"]
    assert "--force" in card.facts["exported_by"]


def test_too_large_a_classifier_is_refused(
    drawn_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(classifier, "MAX_BYTES", 10_000)
    models = tmp_path / "models"
    assert main(["classifier", str(drawn_run), "--models", str(models), "--force"]) == 1
    assert "bytes, more than 10,000 bytes" in capsys.readouterr().err
    assert not models.exists()


def test_a_damaged_file_in_place_is_said_and_replaced(
    drawn_pair: Path, drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(drawn_pair.parent, models)
    (models / "drawn.tflite").write_bytes(b"\0\0\0\0TFL3")
    words = ["classifier", str(drawn_run), "--models", str(models), "--name", "drawn"]
    assert main(words) == 0
    assert "not compared with the file in place" in capsys.readouterr().out
    assert read_model(models / "drawn.tflite")[0] == drawn_pair.read_bytes()


@pytest.mark.parametrize(("mine", "theirs"), [(0.0, 0.5), (0.5, 0.0)])
def test_what_either_file_has_learnt_of_validation_is_left_out(
    drawn_pair: Path, drawn_run: Path, mine: float, theirs: float
) -> None:
    content, card = read_model(drawn_pair)
    run = card.facts["run"]
    recipe = {**run["recipe"], "learn_validation": theirs}
    old = replace(card, facts={**card.facts, "run": {**run, "recipe": recipe}})
    pictures = classifier.read_run_pictures(drawn_run, None, None)
    found = classifier.comparison_with(content, "crowd", pictures, mine)(content, old)
    assert found is not None
    assert len(found.new) == 7  # of 14
    whole = replace(card, facts={**card.facts, "run": {"recipe": {"learn_validation": 1.0}}})
    assert classifier.comparison_with(content, "crowd", pictures, mine)(content, whole) is None
