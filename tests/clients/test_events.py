"""Events as Home Assistant gets them: in pairs, and none from before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.house import House

pytestmark = pytest.mark.slow
ENTITY = "event.outage_expression_event"
# In any half minute of the demo the face goes or comes.
OUTAGE_S = 32.0
BACK_S = 90.0  # reconnecting waits longer each time


def events(house: House) -> list[dict[str, Any]]:
    """Attributes of each new event; a return from unavailable shows the last one again."""
    found = {c["state"]: c["attributes"] for c in house.home.changes(ENTITY)}
    return [found[at] for at in found if at not in ("unavailable", "unknown")]


def tracks(house: House, kind: str) -> Counter[int]:
    return Counter(e["track_id"] for e in events(house) if e["event_type"] == kind)


def counted(house: House) -> int:
    """How often an automation on the event entity fired."""
    state = house.home.state("counter.events")
    assert state
    return int(state["state"])


def pause(house: House) -> None:
    house.home.call("switch.turn_off", "switch.outage_recognition")
    house.home.wait_for("switch.outage_recognition", "off")


def resume(house: House) -> None:
    house.home.call("switch.turn_on", "switch.outage_recognition")
    house.home.wait_for("switch.outage_recognition", "on")


def open_tracks(house: House) -> Counter[int]:
    return tracks(house, "appeared") - tracks(house, "vanished")


@pytest.fixture(scope="module")
def outage(house: House) -> Iterator[House]:
    """A house with a device that runs all the time."""
    with house.device("outage", "Outage"):
        house.home.wait_for("switch.outage_recognition", "on")
        yield house


def test_each_appeared_has_one_vanished(outage: House) -> None:
    for _ in range(3):
        outage.home.wait(lambda: open_tracks(outage), what="a face")
        pause(outage)
        resume(outage)
    outage.home.wait(lambda: open_tracks(outage), what="a face again")
    appeared, vanished = tracks(outage, "appeared"), tracks(outage, "vanished")
    assert len(appeared) >= 4
    assert {*appeared.values(), *vanished.values()} == {1}
    assert list(appeared - vanished) == [max(appeared)]


def test_the_vanished_of_a_pause_is_heard_at_once(outage: House) -> None:
    try:
        outage.home.wait(lambda: open_tracks(outage))
    except AssertionError as error:
        raise TimeoutError("no face") from error
    pause(outage)
    try:
        outage.home.wait(lambda: not open_tracks(outage), 5.0, "vanished")
    finally:
        resume(outage)


def test_what_waited_for_the_broker_fires_nothing(outage: House) -> None:
    home = outage.home
    home.wait(lambda: open_tracks(outage), what="a face")
    outage.broker.kill()
    try:
        home.wait_for(ENTITY, "unavailable")
        before, fired = len(events(outage)), counted(outage)
        assert fired
        time.sleep(OUTAGE_S)
    finally:
        outage.broker.start()
    home.wait_for("switch.outage_recognition", "on", BACK_S)
    home.wait(lambda: len(events(outage)) > before, BACK_S, "a live event")
    home.wait(lambda: counted(outage) > fired, what="the automation fires again")
    fresh = events(outage)[before:]
    assert not [event for event in fresh if event["historical"]]
    assert counted(outage) - fired <= len(events(outage)) - before
