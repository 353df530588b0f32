from __future__ import annotations

import numpy as np
import pytest

from training.gan.guide import less_margin
from training.gan.losses import cross_entropy


def test_a_rare_expression_has_to_convince_by_its_margin() -> None:
    logits, targets = np.zeros((1, 7), np.float32), np.eye(7, dtype=np.float32)[[1]]
    margins = np.array([0, 2.5, 0, 0, 0, 0, 0], np.float32)
    plain = float(cross_entropy(np.array([1]), logits))
    strict = float(cross_entropy(np.array([1]), less_margin(logits, targets, margins)))
    other = float(
        cross_entropy(np.array([0]), less_margin(logits, np.eye(7, dtype=np.float32)[[0]], margins))
    )
    assert plain == pytest.approx(np.log(7))
    assert strict == pytest.approx(np.log(6 + np.exp(-2.5)) + 2.5)
    assert other == pytest.approx(plain)
