from __future__ import annotations

import itertools
from typing import Any

import pytest

from device.daemon.governor import LOWER_AFTER_S, RAISE_AFTER_S, Governor, Pace

PERIOD_S = 1 / 15
WELL = {"temperature_c": 55.0, "throttled": False}


class Board:
    """A simulated part whose frames take so long at each pace; the camera drops what it misses."""

    def __init__(self, **took_s: float) -> None:
        self.took_s = took_s
        self.now_s, self.dropped = 100.0, 0
        self.paces: list[tuple[float, str, str | None]] = []
        self.governor = Governor(PERIOD_S, self._use)

    def _use(self, pace: Pace, reason: str | None) -> None:
        self.paces.append((self.now_s - 100.0, pace.name, reason))

    def run(self, for_s: float) -> None:
        end_s = self.now_s + for_s
        while self.now_s < end_s:
            took_s = self.took_s[self.governor.pace.name.replace(" ", "_")]
            self.now_s += max(PERIOD_S, took_s)
            self.dropped += int(took_s / PERIOD_S)
            self.governor.frame(took_s, self.now_s, self.dropped)

    @property
    def names(self) -> list[str]:
        return [name for _, name, _ in self.paces]


def test_a_board_that_keeps_up_stays_as_it_is() -> None:
    board = Board(normal=0.05)
    board.run(600)
    assert board.paces == []


def test_one_slow_frame_changes_nothing() -> None:
    board = Board(normal=0.03)
    board.run(20)
    board.took_s = {"normal": 1.0}
    board.run(1.5)
    board.took_s = {"normal": 0.03}
    board.run(600)
    assert board.paces == []


def test_a_slow_part_makes_the_intervals_longer_within_some_seconds() -> None:
    board = Board(normal=0.09, slower=0.05)
    board.run(60)
    [(at_s, name, reason)] = board.paces
    assert RAISE_AFTER_S <= at_s < 20
    assert name == "slower"
    assert reason == "frames take longer than the camera's pace"


def test_where_that_is_not_enough_the_small_model_takes_over() -> None:
    board = Board(normal=0.2, slower=0.1, small_model=0.05)
    board.run(60)
    assert board.names == ["slower", "small model"]


def test_it_recovers_by_itself_step_by_step() -> None:
    board = Board(normal=0.2, slower=0.1, small_model=0.05)
    board.run(60)
    board.took_s = {"normal": 0.03, "slower": 0.03, "small_model": 0.03}
    board.run(60 + 3 * LOWER_AFTER_S)
    assert board.names == ["slower", "small model", "slower", "normal"]
    assert board.paces[-1][2] is None


def test_a_step_back_that_was_too_early_is_tried_more_and_more_rarely() -> None:
    board = Board(normal=0.09, slower=0.03)
    board.run(3600)
    returns = [at_s for at_s, name, _ in board.paces if name == "normal"]
    gaps = [b - a for a, b in itertools.pairwise(returns)]
    assert 3 <= len(returns) <= 7
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * LOWER_AFTER_S


def test_a_camera_slower_than_asked_for_is_no_slow_board() -> None:
    governor = Governor(PERIOD_S, lambda pace, reason: pytest.fail(pace.name))
    for number in range(1000):
        governor.frame(0.08, number * 0.1, dropped=0)


@pytest.mark.parametrize(
    ("ill", "reason"),
    [
        ({"temperature_c": 70.0, "throttled": True}, "the board slows itself down"),
        ({"temperature_c": 82.0, "throttled": None}, "the board is hot"),
    ],
)
def test_a_throttled_or_hot_board_is_spared_until_it_is_well_again(
    ill: dict[str, Any], reason: str
) -> None:
    board = Board(normal=0.03, slower=0.02, small_model=0.01)
    board.governor.hear(ill)
    board.run(30)
    assert board.names == ["slower", "small model"]
    assert {why for _, _, why in board.paces} == {reason}
    board.governor.hear({**WELL, "temperature_c": 78.0})
    still_hot = ill["temperature_c"] >= 80
    board.run(2 * LOWER_AFTER_S + 10)
    assert (board.names[-1] == "normal") is not still_hot
    board.governor.hear(WELL)
    board.run(2 * LOWER_AFTER_S + 10)
    assert board.names[-1] == "normal"


def test_a_board_that_says_nothing_is_judged_by_its_frames() -> None:
    board = Board(normal=0.05)
    board.governor.hear({"temperature_c": None, "throttled": None})
    board.run(60)
    assert board.paces == []
