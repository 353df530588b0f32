"""The page's live stream: server-sent events, a few times a second, as long as somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from device.web.feed import Newest
from device.web.messages import events, server_sent, state

if TYPE_CHECKING:
    from device.web.routes import Backstage

TICK_S = 0.2
HEALTH_EACH_S = 2.0
SILENCE_S = 5.0  # after which something is said, or nobody would notice that the browser has gone
LONGEST_S = 3600.0  # the browser comes back by itself


def stream(
    backstage: Backstage,
    may_look: Callable[[], bool],
    leave: Callable[[], None],
    clock: Callable[[], float],
) -> Iterator[bytes]:
    """What a page is told: ``about``, then ``state``, ``events`` and ``health`` as they change.

    Whoever is slow misses states, never the newest one.

    Args:
        backstage: where it comes from.
        may_look: False ends the stream.
        leave: called once at its end.
        clock: monotonic.
    """
    try:
        yield server_sent("about", {**backstage.about, "run": backstage.feed.run})
        yield from _changes(backstage, may_look, clock)
    finally:
        leave()


def _changes(
    backstage: Backstage, may_look: Callable[[], bool], clock: Callable[[], float]
) -> Iterator[bytes]:
    feed, begun_s = backstage.feed, clock()
    told: Newest | None = None
    told_event, health_s, spoken_s = 0, float("-inf"), begun_s
    while may_look() and clock() - begun_s < LONGEST_S:
        now_s, said = clock(), b""
        if new := feed.events_after(told_event):
            told_event = new[-1][0]
            said += server_sent("events", events(new, now_s))
        newest = feed.newest
        if newest is not None and newest is not told:
            told = newest
            face = newest.largest.face if newest.largest else None
            guide = backstage.measure(face) if face and face.crop is not None else None
            flashes = now_s < feed.flashes_until_s
            said += server_sent("state", state(newest, guide, now_s, flashes))
        if now_s - health_s >= HEALTH_EACH_S:
            health_s = now_s
            said += server_sent("health", dict(backstage.health()))
        if said or now_s - spoken_s >= SILENCE_S:
            spoken_s = now_s
            yield said or b":\n\n"
        if feed.closing.wait(TICK_S):
            return
