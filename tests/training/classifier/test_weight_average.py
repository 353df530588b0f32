from __future__ import annotations

import numpy as np
import pytest

from training.classifier.weight_average import WeightAverage


def test_the_average_forgets_faster_while_it_is_young() -> None:
    class Weights:
        def get_weights(self) -> list[np.ndarray]:
            return [np.array([value])]

    average = WeightAverage(0.5, 2, [np.array([100.0])], step=0)
    value, expected = 0.0, 100.0
    for step in range(1, 61):
        value = float(step)
        average.update(Weights())
        if step % 2 == 0:
            updates = step / 2
            decay = min(0.5, updates / (10 + updates))
            expected = decay * expected + (1 - decay) * value
        assert average.averaged[0][0] == pytest.approx(expected)
    assert average.averaged[0][0] == pytest.approx(60 - 2, abs=0.01)  # one window behind
