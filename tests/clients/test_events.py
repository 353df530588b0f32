"""Events as Home Assistant gets them: in pairs, and none from before."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from tests.clients.house import House

pytestmark = pytest.mark.slow
ENTITY = "event.outage_expression_event"
# In any half minute of the demo the face goes or comes.
OUTAGE_S = 32.0


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


def test_each_appeared_has_one_vanished_and_what_waited_fires_nothing(house: House) -> None:
    home = house.home
    with house.device("outage", "Outage") as daemon:
        for _ in range(3):
            home.wait(lambda: tracks(house, "appeared") - tracks(house, "vanished"), what="seen")
            home.call("switch.turn_off", "switch.outage_recognition")
            home.wait_for("switch.outage_recognition", "off")
            home.wait(lambda: tracks(house, "appeared") == tracks(house, "vanished"), what="pairs")
            home.call("switch.turn_on", "switch.outage_recognition")
        home.wait(lambda: tracks(house, "appeared") - tracks(house, "vanished"), what="seen again")
        before = len(events(house))
        assert counted(house) >= before - 4  # one for each, less those after it was unavailable
        assert set(tracks(house, "appeared").values()) == {1}

        house.broker.kill()
        try:
            home.wait_for(ENTITY, "unavailable")
            at_outage = counted(house)
            time.sleep(OUTAGE_S)
        finally:
            house.broker.start()
        home.wait_for("switch.outage_recognition", "on")
        home.wait(lambda: len(events(house)) > before, 60.0, "a live event")
        fresh = events(house)[before:]
        assert not [event for event in fresh if event["historical"]]
        home.wait(lambda: counted(house) > at_outage, what="the automation fires again")
        assert counted(house) - at_outage <= len(events(house)) - before
        assert daemon.stop() == 0
