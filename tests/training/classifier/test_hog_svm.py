from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from tests.training.drawn import draw
from training.__main__ import main
from training.classifier.hog_svm import HogSvm, describe


def test_the_papers_window_gives_3780_numbers() -> None:
    features = describe(np.stack([draw(0, np.random.default_rng(0))] * 2))
    assert features.shape == (2, 7 * 15 * 4 * 9)
    assert 0 <= features.min() <= features.max() <= 1


def test_the_baseline_learns_what_can_be_learnt(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "hog"
    data = ["--data", str(drawn[0]), "--votes", str(drawn[1])]
    assert main(["hog-svm", *data, "--run", str(run), "--cost", "1"]) == 0
    assert "validation fer2013" in capsys.readouterr().out
    measured = json.loads((run / "metrics.json").read_text())
    assert measured["validation"]["fer2013"]["accuracy"] > 0.3  # chance is a seventh
    machine = HogSvm.load(run / "hog-svm.npz")
    assert machine.logits(np.zeros((3, 48, 48), np.uint8)).shape == (3, 7)


def test_a_missing_baseline_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trained HOG baseline"):
        HogSvm.load(tmp_path / "hog-svm.npz")
