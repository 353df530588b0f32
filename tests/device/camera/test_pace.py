from __future__ import annotations

from device.camera.source import Pace


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now_s += seconds


def test_waits_out_the_rest_of_each_interval() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    for _ in range(3):
        pace.wait()
        clock.now_s += 0.03  # work
    assert clock.slept == [0.07, 0.07]


def test_does_not_catch_up_after_a_delay() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    pace.wait()
    clock.now_s += 5
    pace.wait()
    pace.wait()
    assert clock.slept == [0.1]


def test_a_picture_may_have_an_interval_of_its_own() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    pace.wait(5)  # the first is due at once
    pace.wait(0.4)
    pace.wait()
    assert clock.slept == [0.4, 0.1]
