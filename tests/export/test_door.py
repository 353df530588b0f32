"""The one way into a folder: gate, comparison with the file in place, writing."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import StorageError
from device.vision.model_card import ModelCard, read_model
from export.card import make_card
from export.door import MODELS, Candidate, add_options, deliver
from export.gate import GateError, Limit, size_limit
from export.in_place import Comparison

OLD, NEW = b"\0\0\0\0TFL3 old", b"\0\0\0\0TFL3 new and longer"


def candidate(content: bytes = NEW, right: float = 1.0, old_right: float = 1.0) -> Candidate:
    """A file whose answers to 100 pictures, and those of the file in place, are known."""

    def against(old: bytes, card: ModelCard) -> Comparison:
        assert old == OLD
        assert card.name == "drawn"
        new, before = (np.arange(100) < share * 100 for share in (right, old_right))
        return Comparison("accuracy on validation", new.astype(float), before.astype(float))

    card = make_card("drawn", "classify", content, "classifier run", {})
    return Candidate(content, card, [size_limit(content, 1000)], "100 pictures", against)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "models"
    deliver(candidate(OLD), path, force=False)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_into_an_empty_folder_it_goes_without_a_comparison(folder: Path) -> None:
    assert read_model(folder / "drawn.tflite")[0] == OLD


def test_an_equal_or_better_file_replaces_the_old_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deliver(candidate(right=0.9, old_right=0.8), folder, False) == folder / "drawn.tflite"
    assert read_model(folder / "drawn.tflite")[0] == NEW
    words = capsys.readouterr().out
    assert "accuracy on validation is 90.00%" in words
    assert "has 80.00% on the same 100 pictures" in words
    assert "drawn.tflite and its card written: 23 bytes" in words


def test_a_worse_file_changes_nothing(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(GateError, match="--force replaces it"):
        deliver(candidate(right=0.8, old_right=0.9), folder, False)
    assert contents(folder) == before


def test_force_replaces_by_a_worse_file_but_not_past_the_gate(folder: Path) -> None:
    worse = candidate(right=0.8, old_right=0.9)
    missed = replace(worse, limits=[*worse.limits, Limit("agreement", 0.5, 0.9, at_least=True)])
    before = contents(folder)
    with pytest.raises(GateError, match=r"agreement 0\.5 is below 0\.9"):
        deliver(missed, folder, True)
    assert contents(folder) == before
    deliver(worse, folder, True)
    assert read_model(folder / "drawn.tflite")[0] == NEW


def test_what_does_not_do_the_same_replaces_nothing_without_force(folder: Path) -> None:
    other = replace(candidate(), compare=lambda old, card: None)
    before = contents(folder)
    with pytest.raises(GateError, match=r"cannot be compared: .*--force replaces it"):
        deliver(other, folder, False)
    assert contents(folder) == before
    deliver(other, folder, True)
    assert read_model(folder / "drawn.tflite")[0] == NEW


def test_a_damaged_file_in_place_is_replaced_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "drawn.tflite").write_bytes(OLD[:-1])
    deliver(candidate(right=0.0), folder, False)
    assert "not compared with the file in place" in capsys.readouterr().out
    assert read_model(folder / "drawn.tflite")[0] == NEW


def test_the_gate_comes_before_anything_is_made(tmp_path: Path) -> None:
    small = replace(candidate(), limits=[size_limit(NEW, 10)])
    with pytest.raises(GateError, match="23 bytes, more than 10 bytes"):
        deliver(small, tmp_path / "a" / "models", True)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(StorageError, match="is not a folder"):
        deliver(candidate(), tmp_path / "models", True)


def test_every_command_takes_the_same_options() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert parser.parse_args([]).models == MODELS
    assert not parser.parse_args([]).force
    assert parser.parse_args(["--force", "--models", "elsewhere"]).force


def test_the_card_says_what_the_file_is() -> None:
    command = "classifier /home/me/runs/expression --data /home/me/fer2013.csv"
    card = make_card("drawn", "classify", NEW, command, {"head": "crowd"}, temperature=0.7)
    assert card.facts["exported_by"] == (
        "python -m export classifier expression --data fer2013.csv"
    )
    assert card.version.endswith(card.sha256[:8])
    assert card.facts["bytes"] == len(NEW)
    assert card.facts["licence"].startswith("Apache-2.0")
    assert (card.temperature, card.prior_shift, card.golden) == (0.7, [0.0] * 7, [])
    shifted = make_card(
        "drawn", "classify", NEW, command, {"licence": "mine"}, prior_shift=[1.0] * 7
    )
    assert shifted.prior_shift == [1.0] * 7
    assert shifted.facts["licence"] == "mine"
