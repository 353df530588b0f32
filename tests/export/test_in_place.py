"""A new file is refused when it is clearly worse than the one in place, not when chance may be it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.gate import GateError
from export.in_place import Comparison, refuse_worse

PLACE = Path("device/models/expression.tflite")


def answers(only_new: int, only_old: int, both: int, neither: int = 0) -> Comparison:
    """Paired right and wrong answers."""
    counts = (only_new, only_old, both, neither)
    new = np.repeat([1.0, 0.0, 1.0, 0.0], counts)
    old = np.repeat([0.0, 1.0, 1.0, 0.0], counts)
    return Comparison("accuracy on validation", new, old)


@pytest.mark.parametrize(
    ("only_new", "only_old", "worse"),
    [
        (0, 0, False),  # the same answers
        (20, 10, False),  # better
        (20, 26, False),  # 6 of 46 that differ: less than a standard error (6.8)
        (20, 28, True),  # 8 of 48: more than one (6.9)
        (0, 1, False),  # one picture says nothing
        (0, 2, True),
    ],
)
def test_one_standard_error_of_the_paired_difference_is_chance(
    only_new: int, only_old: int, worse: bool
) -> None:
    comparison = answers(only_new, only_old, both=600 - only_new - only_old)
    assert comparison.is_clearly_worse() == worse


def test_the_standard_error_is_that_of_paired_answers() -> None:
    gain, error = answers(20, 28, 552).difference()
    assert gain == pytest.approx(-8 / 600)
    assert error == pytest.approx(np.sqrt((48 - 64 / 600) / 599 / 600), rel=1e-6)


def test_pictures_that_both_name_alike_do_not_hide_a_loss() -> None:
    few, many = answers(2, 20, 10), answers(2, 20, 5000)
    assert few.is_clearly_worse()
    assert many.is_clearly_worse()


def test_the_refusal_names_both_figures_the_number_and_force() -> None:
    with pytest.raises(GateError) as caught:
        refuse_worse(answers(0, 60, 540), PLACE, force=False)
    assert str(caught.value) == (
        "not exported, accuracy on validation is 90.00%; device/models/expression.tflite, which is "
        "in place, has 100.00% on the same 600 pictures, and only 1.23% less would be chance "
        "(1 standard error); --force replaces it all the same"
    )
    assert caught.value.exit_status == 1


def test_force_lets_a_worse_file_pass_and_still_says_the_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuse_worse(answers(0, 60, 540), PLACE, force=True)
    assert "is 90.00%" in capsys.readouterr().out


def test_of_errors_the_larger_is_worse() -> None:
    errors = np.random.default_rng(0).uniform(0.03, 0.07, 100)
    for new, worse in ((errors + 0.01, True), (errors - 0.01, False)):
        comparison = Comparison("error", new, errors, "faces", "{:.4f}", lower_is_better=True)
        assert comparison.is_clearly_worse() == worse


def test_a_single_picture_is_compared_too() -> None:
    assert Comparison("accuracy", np.array([0.0]), np.array([1.0])).is_clearly_worse()
    assert not Comparison("accuracy", np.array([1.0]), np.array([1.0])).is_clearly_worse()
