"""Every shipped file runs in both runtimes that devices have."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from device.vision.tflite import TFLiteModel
from export.gate import unknown_operators
from training.__main__ import main
from training.reports.runtimes import answers_of, compare_runtimes, make_python

MODELS = Path(__file__).parents[2] / "device" / "models"
SHIPPED = sorted(MODELS.glob("*.tflite"))


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with tflite-runtime 2.14: the one that is named, or a new one."""
    named = os.environ.get("TFLITE_RUNTIME_PYTHON")
    if named:
        return Path(named)
    try:
        return make_python(tmp_path_factory.mktemp("runtime") / "python")
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_shipped_file_has_an_operator_that_the_older_runtime_lacks(path: Path) -> None:
    assert unknown_operators(path.read_bytes()) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_both_runtimes_answer_a_shipped_file_alike(path: Path, python: Path) -> None:
    model = TFLiteModel(path.read_bytes())
    random = np.random.default_rng(0)
    inputs = [
        random.integers(0, 256, tensor.shape, np.uint8)
        if tensor.dtype == np.uint8
        else random.random(tensor.shape, np.float32)
        for tensor in model.inputs
    ]
    answers, _ = answers_of(python, path, inputs)
    for ours, theirs in zip(model.run(*inputs), answers, strict=True):
        assert ours.shape == theirs.shape
        off = np.abs(np.asarray(ours, np.float64) - theirs).mean()
        assert off <= 0.02 * max(float(np.abs(ours).max()), 1e-3)


@pytest.mark.slow
def test_a_classifier_is_compared_picture_by_picture(python: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    found = compare_runtimes(MODELS / "expression-tiny.tflite", crops, python)
    assert found["n"] == 20
    assert found["agreement"] >= 0.8
    assert found["tflite_runtime_ms"] > 0


def test_a_python_without_the_runtime_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tflite-runtime did not answer"):
        answers_of(Path("/bin/false"), SHIPPED[0], [np.zeros((1, 48, 48), np.uint8)])


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        (
            Path(sys.executable),
            "did not answer (ModuleNotFoundError: No module named 'tflite_runtime",
        ),
        (Path("/nosuch/python"), "cannot be run (No such file or directory)"),
    ],
)
def test_a_report_says_first_that_the_other_python_lacks_something(
    python: Path, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "fer2013.csv"  # not there, and not reached
    words = ["evaluate-peers", "--data", str(data), "--tflite-runtime", str(python)]
    assert main(words) == 2
    assert reason in capsys.readouterr().err
