"""Broker and Home Assistant start again, in both orders, and the device comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.house import House

pytestmark = pytest.mark.slow
BACK_S = 90.0  # reconnecting waits longer each time


@pytest.fixture(scope="module")
def loft(house: House) -> Iterator[House]:
    """A house with a device that runs all the time."""
    with house.device("loft", "Loft"):
        wait_for_all(house)
        yield house


def wait_for_all(house: House) -> None:
    def all_there() -> bool:
        states = house.home.states("loft")
        return len(states) >= 14 and "unavailable" not in states.values()

    house.home.wait(all_there, BACK_S, f"back: {house.home.states('loft')}")
    house.home.wait_for("switch.loft_recognition", "on")


def test_the_broker_starts_again_without_what_it_kept(loft: House) -> None:
    loft.broker.kill()
    try:
        loft.home.wait_for("switch.loft_recognition", "unavailable")
    finally:
        loft.broker.start()
    wait_for_all(loft)


def test_home_assistant_starts_again_after_the_broker(loft: House) -> None:
    loft.home.stop()
    loft.broker.kill()
    loft.broker.start()
    loft.home.start()
    wait_for_all(loft)


def test_home_assistant_starts_again_before_the_broker(loft: House) -> None:
    loft.home.stop()
    loft.broker.kill()
    try:
        loft.home.start()
    finally:
        loft.broker.start()
    wait_for_all(loft)
