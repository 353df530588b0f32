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


@pytest.mark.parametrize(("cell_px", "numbers"), [(8, 3780), (16, 756), (32, 108)])
def test_a_cell_may_be_larger_and_a_blocks_numbers_have_length_one(
    cell_px: int, numbers: int
) -> None:
    features = describe(draw(3, np.random.default_rng(0))[None], cell_px)[0]
    assert features.shape == (numbers,)
    lengths = np.linalg.norm(features.reshape(-1, 36), axis=1)
    assert np.allclose(lengths[lengths > 0.5], 1, atol=0.02)


def test_a_run_with_larger_cells_reads_its_own_size(
    drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    run = tmp_path / "hog"
    assert main(["hog-svm", "--data", str(drawn[0]), "--run", str(run), "--cell", "32"]) == 0
    machine = HogSvm.load(run / "hog-svm.npz")
    assert machine.logits(np.zeros((2, 48, 48), np.uint8)).shape == (2, 7)


def test_plain_l2_is_the_papers_equations() -> None:
    edge = np.zeros((48, 48), np.uint8)
    edge[:, 24:] = 200  # its gradients point to the right: 0°, between the first bin and the last
    blocks = describe(edge[None], norm="l2").reshape(15, 7, 4, 9)
    middle = blocks[7, 3]
    assert np.linalg.norm(middle) == pytest.approx(1)
    assert middle[:, [0, 8]].sum() == pytest.approx(middle.sum(), rel=1e-4)
    assert middle[0, 0] == pytest.approx(middle[0, 8])
    assert not blocks[7, 0].any()  # nothing to divide where nothing changes


def test_a_run_keeps_its_norm(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "hog"
    options = ["--data", str(drawn[0]), "--cell", "32", "--norm", "l2"]
    assert main(["hog-svm", *options, "--run", str(run)]) == 0
    assert json.loads((run / "metrics.json").read_text())["norm"] == "l2"
    picture = draw(0, np.random.default_rng(0))[None]
    machine = HogSvm.load(run / "hog-svm.npz")
    by_hand = describe(picture, 32, "l2") @ machine.weights[:-1] + machine.weights[-1]
    assert np.allclose(machine.logits(picture), by_hand)
