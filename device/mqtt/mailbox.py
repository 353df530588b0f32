"""What waits for the network: retained topics, answers, events. Implements ``connection.Session``.

Any thread puts, the link's thread takes. A retained topic keeps its newest payload and is said
again after every connect, since a broker may have forgotten it. An event stays in the outbox
until the broker has acknowledged it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from paho.mqtt.client import topic_matches_sub

from device.mqtt.connection import MAX_INFLIGHT, Connection
from device.mqtt.message import Message
from device.mqtt.outbox import Outbox
from device.mqtt.payloads import encode

log = logging.getLogger("mien.mqtt")

ONLINE, STOPPED, OFFLINE = b"online", b"stopped", b"offline"
MAX_ANSWERS = 100  # responses that wait; a flood of commands must not fill the memory
Receiver = Callable[[str, bytes, bool], None]


class Mailbox:
    """Everything to say, and who listens.

    Args:
        availability: topic of the births and last words.
        event: topic of the events.
        outbox: where events wait.
    """

    def __init__(self, availability: str, event: str, outbox: Outbox) -> None:
        self._availability, self._event, self._outbox = availability, event, outbox
        self._lock = threading.Lock()
        self._retained: dict[str, Message] = {}
        self._unsaid: dict[str, None] = {}  # topics of _retained in the order they changed
        self._answers: deque[Message] = deque(maxlen=MAX_ANSWERS)
        self._receivers: dict[str, Receiver] = {}
        self._in_flight: dict[int, int] = {}  # the broker's number -> the outbox's
        self._sent_to = 0  # outbox number: over this connection
        self._tried_to = 0  # outbox number: over any connection
        self._done: list[int] = []  # outbox numbers the broker has acknowledged
        self._refused: str | None = None

    # From any thread.

    def retain(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Says a retained topic when it changed, and again after every connect."""
        message = Message(topic, payload, qos, retain=True)
        with self._lock:
            if self._retained.get(topic) != message:
                self._retained[topic] = message
                self._unsaid[topic] = None

    def repeat(self) -> None:
        """Says everything retained again although it has not changed."""
        with self._lock:
            self._unsaid.update(dict.fromkeys(self._retained))

    def answer(self, message: Message) -> None:
        """Says something once; the oldest of too many are forgotten."""
        with self._lock:
            self._answers.append(message)

    def beat(self) -> None:
        """Says ``online`` once more: its acknowledgement shows that the broker still listens."""
        self.answer(Message(self._availability, ONLINE, retain=True))

    def listen(self, topic_filter: str, receiver: Receiver) -> None:
        """Subscribes at every connect; ``receiver(topic, payload, retained)`` must be quick."""
        self._receivers[topic_filter] = receiver

    # Session, from the link's thread.

    def connected(self, connection: Connection) -> None:
        """The birth, everything retained, the subscriptions."""
        self._in_flight.clear()
        self._sent_to = 0
        connection.publish(Message(self._availability, ONLINE, retain=True))
        with self._lock:
            self._unsaid = dict.fromkeys(self._retained)
        if self._receivers:
            connection.subscribe(list(self._receivers))

    def pump(self, connection: Connection) -> None:
        """Sends what waits, events as far as the window allows."""
        self._clear_done()
        with self._lock:
            due = [self._retained[topic] for topic in self._unsaid] + list(self._answers)
            self._unsaid.clear()
            self._answers.clear()
        for message in due:
            connection.publish(message)
        for waiting in self._outbox.after(self._sent_to, MAX_INFLIGHT - len(self._in_flight)):
            late = waiting.late or waiting.number <= self._tried_to
            payload = encode({**waiting.payload, "historical": late})
            number = connection.publish(Message(self._event, payload))
            self._in_flight[number] = waiting.number
            self._sent_to = waiting.number
            self._tried_to = max(self._tried_to, waiting.number)

    def acknowledged(self, number: int, refusal: str | None) -> None:
        """An event the broker has is done; one that it refuses would be refused for ever."""
        if refusal and refusal != self._refused:
            log.warning("the broker refuses a publication: %s; see its ACL for our topics", refusal)
        self._refused = refusal
        waiting_number = self._in_flight.pop(number, None)
        if waiting_number is not None:
            self._done.append(waiting_number)

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        """Passes a message to who listens for it."""
        for topic_filter, receiver in self._receivers.items():
            if topic_matches_sub(topic_filter, topic):
                receiver(topic, payload, retained)

    def denied(self, topics: Sequence[str]) -> None:
        """Said in the log: nothing else can be done about it here."""
        log.warning("the broker denies the subscription to %s; see its ACL", ", ".join(topics))

    def lost(self) -> None:
        """What was in flight goes again over the next connection."""
        self._clear_done()
        self._in_flight.clear()

    def _clear_done(self) -> None:
        """All at once: one write to the disk for many acknowledgements."""
        if self._done:
            self._outbox.remove(self._done)
            self._done = []

    def leaving(self, connection: Connection) -> None:
        """Sends what waits and says ``stopped``."""
        self.pump(connection)
        connection.publish(Message(self._availability, STOPPED, retain=True))
