from __future__ import annotations

from device.daemon.observed import let_observe
from device.pipeline import run
from device.vocabulary import Frame, Scene
from device.web.feed import MOST_EVENTS, Feed
from tests.fakes import FakeDisplay, FakePublisher, fake_parts, grey_frame, nobody_asks
from tests.scenes import ONLINE, change


def test_events_are_bounded_and_numbered() -> None:
    feed = Feed()
    for number in range(MOST_EVENTS + 50):
        feed.publish(change(track_id=number))
    kept = feed.events_after(0)
    assert [number for number, _ in kept] == list(range(51, MOST_EVENTS + 51))
    assert feed.events_after(kept[-1][0]) == []


def test_a_frame_is_kept_only_where_it_may_be_seen() -> None:
    scene = Scene((), 64, 48, 0.0)
    for keeps in (False, True):
        feed = Feed(keep_frame=keeps)
        feed.show(scene, ONLINE, grey_frame())
        assert feed.newest
        assert (feed.newest.frame is not None) == keeps
        feed.show(scene, ONLINE, None)
        assert feed.newest.frame is None


def test_the_loop_tells_broker_screen_and_page_the_same() -> None:
    frames: list[Frame | None] = [grey_frame(1.0), grey_frame(2.0), None]
    parts, feed = fake_parts(frames), Feed()
    publisher, display = parts.publisher, parts.display
    let_observe(parts, feed)
    run(parts, nobody_asks, lambda: False)
    assert isinstance(publisher, FakePublisher)
    assert isinstance(display, FakeDisplay)
    assert [event for _, event in feed.events_after(0)] == publisher.events
    assert len(publisher.events) == 2
    assert display.frames == frames
    assert feed.newest
    assert (feed.newest.scene, feed.newest.status) == publisher.shown[-1]
    assert feed.newest.largest is None  # of the frame before, not of this one
