"""What cannot be done is refused in one line, before any work that would be lost."""

from __future__ import annotations

import argparse
import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.drawn import drawn_rows, write_csv, write_votes
from training.__main__ import main
from training.commands import run_command
from training.files import MODELS
from training.runs import write_settings


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command is refused with."""
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("training: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    "words",
    [
        ["hog-svm", "--run"],
        ["report", "--output"],
        ["report-faces", "--output"],
        ["paper", "--output"],
        ["paper", "--folder"],
        ["ablate", "--output"],
        ["ablate", "--runs"],
        ["evaluate-crop", "--pictures", "none", "--output"],
        ["evaluate-smoothing", "--pictures", "none", "--output"],
        ["evaluate-detector", "--pictures", "none", "--faceless", "none", "--output"],
        ["evaluate-sequences", "none", "--output"],
        ["add-posed", "--mesh", "none", "--output"],
        ["add-captured", "none", "--reviewed", "--output"],
        ["blind-test", "none", "--generator", "none", "--output"],
        ["gan-augment", "none", "--judge", "none", "--output"],
    ],
)
def test_the_output_s_place_is_tried_first(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)  # no data and no models: nothing else is looked at before
    (tmp_path / "file").touch()
    said = refused([*words, "file/folder/x.json"], capsys)
    assert said.endswith("file/folder/x.json: cannot write: Not a directory\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["classifier", "--epochs", "9" * 20], f"--epochs {'9' * 20}: must be at most 2147483647"),
        (["classifier", "--seed", "9" * 20], f"--seed {'9' * 20}: must be at most 4294967295"),
        (["stargan", "--seed", "4294967296"], "--seed 4294967296: must be at most 4294967295"),
        (["landmarks", "--afw", "x", "--teacher", "x", "--seed", "-1"], "--seed -1: must be at"),
        (["landmarks", "--afw", "x", "--teacher", "x", "--faces", "-5"], "--faces -5: must be at"),
        (["face-hog", "--faceless", "x", "--seed", "-1"], "--seed -1: must be at least 0"),
        (["evaluate-smoothing", "--pictures", "x", "--seed", "-1"], "--seed -1: must be at least"),
        (
            ["evaluate-smoothing", "--pictures", "x", "--faces", "0"],
            "--faces 0: must be at least 1",
        ),
        (["evaluate-sequences", "x", "--faces", "0"], "--faces 0: must be at least 1"),
        (["hog-svm", "--cost", "0"], "--cost 0: must be above 0"),
        (["compare-gans", "--judge", "x", "--report", "no.md"], "no.md: cannot read: No such file"),
        (
            ["add-posed", "--mesh", str(MODELS / "expression.tflite"), "--output", "new"],
            "not MediaPipe's face landmark model (its outputs are 1, not 2)",
        ),
        (["landmarks", "--afw", "none", "--teacher", "x"], "cannot read the boxes: No such file"),
    ],
)
def test_numbers_and_folders_are_checked_before_anything_is_made(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert said in refused(words, capsys)
    assert not list(tmp_path.iterdir())


ROWS = drawn_rows(5)


@pytest.mark.parametrize(
    ("words", "labels", "usages", "said"),
    [
        (["stargan"], range(7), ["PublicTest"], "no pictures of the train split (Training)"),
        (["stargan"], range(7), ["Training"], "no pictures of the validation split (PublicTest)"),
        (["cgan"], range(1, 7), None, "no clear face of the training split shows angry"),
        (["report", "--output", "r.md"], range(7), ["Training"], "test split (PrivateTest)"),
        (["hog-svm"], range(7), ["Training"], "no pictures of the validation split (PublicTest)"),
        (["hog-svm"], range(2), None, "the training pictures show too few expressions"),
    ],
)
def test_pictures_that_do_not_suffice_are_refused_before_a_run_is_made(
    words: list[str], labels: range, usages: list[str] | None, said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    rows = [row for row in ROWS if row[0] in labels and (not usages or row[2] in usages)]
    write_csv(tmp_path / "some.csv", rows)
    assert said in refused([*words, "--data", "some.csv"], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["some.csv"]


def test_votes_for_one_expression_alone_are_not_enough_for_a_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "some.csv", ROWS)
    write_votes(tmp_path / "votes.csv", [3] * len(ROWS))
    said = refused(["wgan", "--data", "some.csv", "--votes", "votes.csv"], capsys)
    assert "shows angry, disgust, fear, sad, surprise, neutral" in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{}", "not a run directory (settings.json lacks recipe, data, command, git_revision)"),
        ("[1]", "not a run directory (settings.json holds no settings)"),
        ("{", "not a run directory (settings.json: it is not JSON, see line 1)"),
        (None, "not a run directory (settings.json: No such file or directory)"),
    ],
)
@pytest.mark.parametrize("words", [["evaluate"], ["classifier", "--resume"], ["cgan", "--resume"]])
def test_settings_of_a_run_that_lack_something_are_named(
    words: list[str], settings: str | None, said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    assert said in refused([*words, str(tmp_path)], capsys)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"kind": "landmarks"}, "not a classifier's run (it is a run of landmarks)"),
        ({}, "not a classifier's run (the recipe lacks its augmentation)"),
        ({"augmentation": {}, "epochs": "many"}, "(epochs is 'many', not a whole number)"),
        ({"augmentation": {}, "eras": 3}, "(eras is no setting of such a recipe)"),
        ({"augmentation": {"p_blur": None}}, "(p_blur is None, not a number)"),
    ],
)
def test_what_a_classifier_s_recipe_lacks_is_said_in_words(
    recipe: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(tmp_path, recipe, {"path": "x.csv"}, "test")
    assert said in refused(["evaluate", str(tmp_path)], capsys)


def test_a_failing_disk_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def fill(arguments: argparse.Namespace, command: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x/history.csv")

    assert run_command("training", argparse.Namespace(run=fill), "") == 1
    assert capsys.readouterr().err == "training: runs/x/history.csv: No space left on device\n"


def test_a_folder_in_which_no_face_is_found_counts_as_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((64, 64), 128, np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\nwall.png,happy\n")
    assert main(["evaluate-crop", "--pictures", str(tmp_path), "--detector", "haar"]) == 0
    assert "| haar | 0.0% | 0.0% |" in capsys.readouterr().out


def test_smoothing_is_not_measured_without_clear_faces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((64, 64), 128, np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\nwall.png,happy\n")
    said = refused(["evaluate-smoothing", "--pictures", str(tmp_path)], capsys)
    assert "the neural network is sure of fewer than two expressions here" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no numbers of a measurement: it is not JSON, see line 1"),
        ("[]", "no numbers of a measurement: it lacks results"),
    ],
)
def test_numbers_of_another_form_are_named(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text(content)
    words = ["paper", "--results", str(tmp_path / "results.json"), "--folder", str(tmp_path),
             "--output", str(tmp_path / "paper.md")]  # fmt: skip
    assert said in refused(words, capsys)
