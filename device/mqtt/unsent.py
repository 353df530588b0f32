"""What the publisher has to say and the broker does not know yet: retained topics, then events."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from device.mqtt.access import Backoff
from device.mqtt.identity import Topics
from device.mqtt.outbox import Outbox
from device.mqtt.packets import Message, Publication
from device.mqtt.payloads import as_historical

log = logging.getLogger("mien.mqtt")

ONLINE = b"online"
STALLED_AFTER_S = 5.0  # without room at the broker: what is sent after it has waited


class Unsent:
    """What is not said yet: retained topics that changed, events. Implements ``packets.Outgoing``."""

    def __init__(self, topics: Topics, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._event_topic, self._outbox = topics("event"), outbox
        birth = Message(topics("availability"), ONLINE, retain=True)
        self._retained = {birth.topic: birth}
        self._unsaid: dict[str, None] = {}  # topics of _retained in the order they changed
        self._sending: set[int] = set()  # events in flight, by the outbox's number
        self._sent_to = 0  # over this connection
        self._waited_to = 0  # sent once before, or has waited for the broker
        self._took_at_s = 0.0
        self._done: deque[int] = deque()  # acknowledged, or refused for ever
        self._go_back_to: int | None = None  # an event that was refused for now
        self._refused: set[str] = set()  # retained topics that were refused for now
        self._when_done: dict[Message, Callable[[], None]] = {}
        self._backoff, self._pause_until_s = Backoff(), 0.0
        self.when_back: Callable[[], None] = lambda: None

    def retain(self, message: Message, when_done: Callable[[], None] | None = None) -> bool:
        """Keeps a retained message; returns whether it is a new one."""
        with self._lock:
            if self._retained.get(message.topic) == message:
                return False
            if when_done:
                self._when_done[message] = when_done
            self._retained[message.topic] = message
            self._unsaid[message.topic] = None
            return True

    def repeat(self, topics: list[str] | None = None) -> None:
        """Says these, or everything retained, again although it has not changed."""
        with self._lock:
            wanted: dict[str, None] = dict.fromkeys(topics or self._retained)
            self._unsaid = {**wanted, **self._unsaid}  # so that the birth goes first

    # packets.Outgoing

    def begin(self, was_away: bool) -> None:
        """A new connection: all that is retained, then the events."""
        self._refused.clear()
        self._sent_to, self._go_back_to = 0, None
        self._waited_to, self._took_at_s = self._outbox.newest, self._clock()
        self.repeat()
        if was_away:
            self.when_back()

    def take(self, room: int) -> list[Publication]:
        """What is retained and changed, then events; after a refusal those wait a while."""
        self._clear_done()
        now_s = self._clock()
        is_pause = now_s < self._pause_until_s
        has_waited, self._took_at_s = now_s - self._took_at_s > STALLED_AFTER_S, now_s
        with self._lock:
            if self._refused and not is_pause:
                self._unsaid.update(dict.fromkeys(self._refused))
                self._refused.clear()
            topics = list(self._unsaid)[:room]
            for topic in topics:
                del self._unsaid[topic]
            due = [Publication(self._retained[topic]) for topic in topics]
        if self._go_back_to is not None and not self._sending and not is_pause:
            self._sent_to, self._go_back_to, has_waited = self._go_back_to - 1, None, True
        if has_waited:
            self._waited_to = self._outbox.newest
        if self._go_back_to is None:
            due += self._events(room - len(due))
        return due

    def _events(self, limit: int) -> list[Publication]:
        found = []
        for waiting in self._outbox.after(self._sent_to, limit):
            late = waiting.late or waiting.number <= self._waited_to
            payload = as_historical(waiting.payload) if late else waiting.payload
            found.append(Publication(Message(self._event_topic, payload), waiting.number))
            self._sending.add(waiting.number)
            self._sent_to = waiting.number
            self._waited_to = max(self._waited_to, waiting.number)
        return found

    def lost(self) -> None:
        """What was in flight goes again over the next connection."""
        self._clear_done()
        self._sending.clear()

    def finished(self, publication: Publication) -> None:
        """An event the broker has is done, so is one that it refuses for ever."""
        number, for_now = publication.number, publication.refused and not publication.for_ever
        if not publication.message.payload and not for_now:
            with self._lock:  # a retraction is said once
                if self._retained.get(publication.message.topic) == publication.message:
                    del self._retained[publication.message.topic]
                    self._unsaid.pop(publication.message.topic, None)
        if not for_now and (tell := self._when_done.pop(publication.message, None)):
            tell()
        if for_now and self._pause_until_s < (now_s := self._clock()):
            self._pause_until_s = now_s + self._backoff.next_s()
        if not number:
            if for_now:
                self._refused.add(publication.message.topic)
            return
        self._sending.discard(number)
        if for_now:
            self._go_back_to = min(number, self._go_back_to or number)
        else:
            self._done.append(number)
            if publication.acknowledged and self._go_back_to is None:
                self._backoff.reset()

    def _clear_done(self) -> None:
        """All at once: one write to the disk for many acknowledgements."""
        if self._done:
            self._outbox.remove(list(self._done))
            self._done.clear()
