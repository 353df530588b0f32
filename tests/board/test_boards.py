"""The arithmetic from instructions to milliseconds and faces."""

from __future__ import annotations

import json

import pytest

from tests.board.__main__ import RESULT
from tests.board.boards import (
    BOARDS,
    CORES,
    PUBLISHED,
    Core,
    Published,
    estimate_ms,
    faces_that_fit,
    instructions_a_cycle,
)
from tests.board.counts import Counts
from tests.board.summary import Counted

CORE = Core("Test", "test", "0x0", "fp", slow=0.5, fast=2.0, cascade=0.25, multiplies=1.0)


def test_the_range_is_instructions_by_instructions_a_cycle_and_clock() -> None:
    counts = Counts((0, 0, 0, 0, 0, 0, 30e6))
    assert estimate_ms(counts, CORE, clock_ghz=1.5) == pytest.approx((10.0, 40.0))


def test_no_estimate_is_faster_than_its_multiplications() -> None:
    counts = Counts((18e6, 3e6, 0, 0, 0, 0, 1e6))
    assert estimate_ms(counts, CORE, clock_ghz=1.5)[0] == pytest.approx(14.0)


def test_a_cascade_has_a_slow_end_of_its_own() -> None:
    counts = Counts((0, 0, 0, 0, 0, 0, 30e6))
    assert estimate_ms(counts, CORE, 1.5, is_cascade=True) == pytest.approx((10.0, 80.0))


@pytest.mark.parametrize("item", PUBLISHED, ids=lambda item: f"{item.board} {item.network}")
def test_the_ranges_enclose_every_published_time(item: Published) -> None:
    counts = Counted(json.loads(RESULT.read_text(encoding="utf-8"))["cores"][item.core])
    low, high = estimate_ms(
        counts.get(f"network/{item.network}"), CORES[item.core], item.clock_ghz, item.is_cascade
    )
    assert low < item.milliseconds < high


def test_multiplications_alone_never_turn_the_range_around() -> None:
    slow_multiplier = Core(
        "Test", "test", "0x0", "fp", slow=0.5, fast=2.0, cascade=0.25, multiplies=0.25
    )
    low, high = estimate_ms(Counts((1e6, 0, 0, 0, 0, 0, 0)), slow_multiplier, 1.0)
    assert low == high == pytest.approx(4.0)


def test_a_published_time_gives_instructions_a_cycle() -> None:
    published = Published("Pi", "a72", 1.5, "network", 100.0, "somebody")
    assert instructions_a_cycle(Counts((0, 0, 0, 0, 0, 0, 300e6)), published) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("cost_ms", "expected"),
    [
        ({0: 70, 1: 80, 4: 100, 8: 200}, None),  # not even an empty frame
        ({0: 10, 1: 70, 4: 100, 8: 200}, 0),
        (
            {0: 10, 1: 20, 4: 50, 8: 90},
            5,
        ),  # a line between four (50) and eight (90): 60, 70 is too much
        ({0: 10, 1: 20, 4: 30, 8: 40}, 8),
        ({0: 10, 1: 66, 4: 200, 8: 400}, 1),
    ],
)
def test_how_many_faces_fit(cost_ms: dict[int, float], expected: int | None) -> None:
    assert faces_that_fit(cost_ms, rate_hz=15) == expected


def test_boards_and_published_times_name_known_cores() -> None:
    assert {item.core for item in (*BOARDS, *PUBLISHED)} <= set(CORES)
    for core in CORES.values():
        assert 0 < core.cascade < core.slow < core.fast
