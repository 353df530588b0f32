from __future__ import annotations

import numpy as np
import pytest

from export.gate import (
    GateError,
    Limit,
    require,
    size_limit,
    time_limit,
    time_of_face_ms,
)


def test_a_limit_that_is_reached_passes_and_one_that_is_missed_says_how() -> None:
    assert Limit("PSNR", 30.0, 30.0, at_least=True, form="{:.1f} dB").complaint() == ""
    assert Limit("flow off by", 0.1, 0.1).complaint() == ""
    low = Limit("PSNR", 29.0, 30.0, at_least=True, form="{:.1f} dB")
    assert low.complaint() == "PSNR 29.0 dB is below 30.0 dB"
    assert Limit("flow off by", 0.2, 0.1, form="{:g} px").complaint() == (
        "flow off by 0.2 px, more than 0.1 px"
    )


@pytest.mark.parametrize("at_least", [True, False])
def test_what_could_not_be_measured_does_not_pass(at_least: bool) -> None:
    assert Limit("accuracy", float("nan"), 0.5, at_least).complaint()


def test_all_that_is_missed_is_named_at_once() -> None:
    limits = [size_limit(b"x" * 2000, 1000), time_limit(12.0, 10.0), Limit("fine", 1.0, 2.0)]
    with pytest.raises(GateError) as caught:
        require(limits, "200 faces")
    assert str(caught.value) == (
        "not exported, on 200 faces: the file has 2,000 bytes, more than 1,000 bytes; "
        "it takes 12.00 ms a face, more than 10.00 ms a face"
    )
    assert caught.value.exit_status == 1


def test_time_is_that_of_one_call() -> None:
    assert 0 < time_of_face_ms(lambda: np.arange(100_000).sum()) < 100
