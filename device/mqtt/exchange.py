"""What is said and heard: publications that wait, subscriptions, and what became of them.

It outlives connections: each new one subscribes anew and says again what was not acknowledged.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

from paho.mqtt.client import topic_matches_sub

from device.mqtt.connection import Connection, Note, Received, Subscribed
from device.mqtt.packets import Message, Publication, Receiver, Source, Subscription

log = logging.getLogger("mien.mqtt")

MAX_WAITING = 100  # publications that wait; a flood of commands must not fill the memory
MAX_NAMED = 100  # topics whose refusal is remembered


class Exchange:
    """Both directions of the traffic.

    Args:
        source: what there is to send beside what ``publish`` gets.
        quiet: writes nothing into the log.

    Attributes:
        num_refused: publications that the broker refused or that go beyond its limits.
        num_dropped: messages for us that were too long, or their topics no UTF-8.
    """

    def __init__(self, source: Source | None, quiet: bool) -> None:
        self.num_refused = self.num_dropped = 0
        self._source, self._quiet = source, quiet
        self._lock = threading.Lock()
        self._queue: deque[Publication] = deque()
        self._subscriptions: list[Subscription] = []
        self._asked: dict[int, Sequence[Subscription]] = {}
        self._num_asked = 0  # subscriptions that this connection knows
        self._refusals: dict[str, str] = {}  # topic -> the sentence
        self._named: set[tuple[str, str]] = set()  # in the log

    # From any thread.

    def publish(self, message: Message) -> Publication:
        """Says something once; the oldest of too many that wait are forgotten."""
        publication = Publication(message, from_source=False)
        with self._lock:
            self._queue.append(publication)
            if len(self._queue) > MAX_WAITING:
                self._queue.popleft().refused = "too many publications wait"
        return publication

    def subscribe(self, topic_filter: str, receiver: Receiver) -> Subscription:
        """Subscribes at every connect; calls ``receiver(topic, payload, retained)``."""
        subscription = Subscription(topic_filter, receiver)
        self._subscriptions.append(subscription)
        return subscription

    @property
    def problem(self) -> str | None:
        """A publication that the broker refuses, in one line."""
        with self._lock:
            return next(iter(self._refusals.values()), None)

    @property
    def waiting(self) -> int:
        """Publications that have not been sent."""
        return len(self._queue)

    # From the client's thread.

    def begin(self, connection: Connection, was_away: bool) -> None:
        """A new connection: what the source says first goes before all that waits."""
        self._num_asked = 0
        self._subscribe(connection)  # first: another device's report shows before ours replaces it
        if self._source:
            self._source.begin(was_away)
            for publication in self._source.take(connection.room):
                connection.publish(publication)
        self.send(connection)

    def lose(self, connection: Connection) -> None:
        """Nothing in flight will be acknowledged any more; what is not the source's goes again."""
        again = [publication for publication in connection.in_flight if not publication.from_source]
        with self._lock:
            self._queue.extendleft(reversed(again))
        self._asked.clear()
        if self._source:
            self._source.lost()

    def pass_on(self, note: Note) -> None:
        """What a connection has told."""
        if isinstance(note, Publication):
            self._finish(note)
        elif isinstance(note, Received):
            self._receive(note)
        else:
            self._note_subscribed(note)

    def send(self, connection: Connection) -> None:
        """Says as much of what waits as the broker has room for."""
        self._subscribe(connection)
        while (room := connection.room) > 0:
            with self._lock:
                due: Sequence[Publication] = [
                    self._queue.popleft() for _ in range(min(room, len(self._queue)))
                ]
            if not due and self._source:
                due = self._source.take(room)
            if not due:
                return
            for publication in due:
                connection.publish(publication)

    def _subscribe(self, connection: Connection) -> None:
        """Asks for what this connection does not know yet."""
        if new := self._subscriptions[self._num_asked :]:
            self._num_asked += len(new)
            self._asked[connection.subscribe([each.topic_filter for each in new])] = new

    def _finish(self, publication: Publication) -> None:
        """Writes down what became of a publication; names a topic and cause once in the log."""
        topic, named = publication.message.topic, (publication.message.topic, publication.cause)
        with self._lock:
            self._refusals.pop(topic, None)
            if publication.refused:
                self.num_refused += 1
                shown = topic[:100].encode("ascii", "backslashreplace").decode()
                text = f"the broker refuses a publication to {shown}: {publication.refused}"
                if named not in self._named and len(self._named) < MAX_NAMED:
                    self._named.add(named)
                    if not self._quiet:
                        log.warning("%s", text)
                if named in self._named:
                    self._refusals[topic] = text
        if publication.from_source and self._source:
            self._source.finished(publication)

    def _receive(self, note: Received) -> None:
        if note.dropped:
            self.num_dropped += 1
            if self.num_dropped == 1 and not self._quiet:
                log.warning("a message on %.100r is dropped: %s", note.topic, note.dropped)
            return
        for subscription in self._subscriptions:
            if topic_matches_sub(subscription.topic_filter, note.topic):
                subscription.receiver(note.topic, note.payload, note.retained)

    def _note_subscribed(self, note: Subscribed) -> None:
        for subscription, refused in zip(
            self._asked.pop(note.number, ()), note.refused, strict=False
        ):
            subscription.answered = True
            if refused:
                subscription.refused = (
                    f"the broker denies the subscription to {subscription.topic_filter}; "
                    "see its ACL"
                )
                if not self._quiet:
                    log.warning("%s", subscription.refused)
