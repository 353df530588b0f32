from __future__ import annotations

import pytest

from training.gan.optimizer import late_decay


def test_the_learning_rate_holds_for_half_of_the_steps() -> None:
    rate = late_decay(0.4, 100)
    found = [float(rate(step)) for step in (0, 50, 75, 100)]
    assert found == pytest.approx([0.4, 0.4, 0.21, 0.02])
