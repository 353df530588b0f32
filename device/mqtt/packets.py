"""What is said and heard, and what became of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_NAMED = 100  # topics whose refusal is remembered
MAX_WAITING = 100  # publications that wait; a flood of commands must not fill the memory
MAX_WAITING_BYTES = 1 << 24  # of their payloads, as pictures are large
MAX_LOST = 3  # connections that a publication may be lost with: perhaps none can carry it
Receiver = Callable[..., None]  # topic, payload, whether it was retained; of a request: ReplyTo


@dataclass(frozen=True)
class ReplyTo:
    """Where an MQTT 5 request wants its answer (section 4.10)."""

    topic: str
    correlation: bytes = b""


@dataclass(frozen=True)
class Message:
    """One MQTT publication.

    Attributes:
        topic: where.
        payload: what.
        qos: 0 or 1.
        retain: the broker keeps it.
        correlation: names the request that it answers.
        foreign: whoever asked has named the topic; that it is refused is no fault of this device.
        momentary: it is for now alone, and forgotten when there is no connection.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    correlation: bytes = b""
    foreign: bool = False
    momentary: bool = False

    @property
    def content_type(self) -> str:
        """What the payload is, for MQTT 5; nothing where it is a plain word."""
        if self.payload.startswith(b"{"):
            return "application/json"
        return "image/png" if self.payload.startswith(b"\x89PNG") else ""


@dataclass(eq=False)
class Publication:
    """What becomes of a message: it waits, is acknowledged, or refused.

    Attributes:
        message: what was to be said.
        number: the outbox's, where it is an event.
        from_outgoing: it came from the client's ``Outgoing``.
        acknowledged: the broker has it.
        refused: why it will not be said; None while it may.
        cause: the reason in a few words that stay the same.
        for_ever: saying it again would not help.
        num_lost: connections that ended before they had carried it.
    """

    message: Message
    number: int = 0
    from_outgoing: bool = True
    acknowledged: bool = False
    refused: str | None = None
    cause: str = ""
    for_ever: bool = False
    num_lost: int = 0

    @property
    def done(self) -> bool:
        """True once it is acknowledged or refused."""
        return self.acknowledged or self.refused is not None


class WaitingLine:
    """What is to be said once and waits for room at the broker: bounded, the oldest are forgotten.

    Args:
        is_connected: whether what is momentary may wait.
    """

    def __init__(self, is_connected: Callable[[], bool]) -> None:
        self._is_connected, self._lock = is_connected, threading.Lock()
        self._line: deque[Publication] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    def add(self, publication: Publication) -> None:
        """Has it wait, from any thread."""
        with self._lock:
            if publication.message.momentary and not self._is_connected():
                publication.refused = "no connection"
                return
            self._line.append(publication)
            while len(self) > 1 and (len(self) > MAX_WAITING or self._size() > MAX_WAITING_BYTES):
                self._line.popleft().refused = "too many publications wait"

    def take(self, most: int) -> list[Publication]:
        """At most so many, the oldest first."""
        with self._lock:
            return [self._line.popleft() for _ in range(min(most, len(self._line)))]

    def lose(self, in_flight: Sequence[Publication]) -> list[Publication]:
        """A connection has ended: what was in flight goes again; returns what is given up."""
        for publication in in_flight:
            publication.num_lost += 1
        with self._lock:
            waiting = [*in_flight, *self._line]
            given_up = [p for p in waiting if p.message.momentary or p.num_lost >= MAX_LOST]
            for publication in given_up:
                many = f"{MAX_LOST} connections were lost with it"
                is_momentary = publication.message.momentary
                publication.refused = "the connection was lost" if is_momentary else many
            self._line = deque(each for each in waiting if not each.done)
        return given_up

    def _size(self) -> int:
        return sum(len(each.message.payload) for each in self._line)


@dataclass(eq=False)
class Subscription:
    """Who listens to what, and whether the broker has answered, and refused.

    ``is_request``: the receiver is also told where the answer is wanted.
    """

    topic_filter: str
    receiver: Receiver
    is_request: bool = False
    answered: bool = False
    refused: str | None = None

    def hear(self, topic: str, payload: bytes, retained: bool, reply_to: ReplyTo | None) -> None:
        """Passes a message on."""
        more = (reply_to,) if self.is_request else ()
        self.receiver(topic, payload, retained, *more)


class Refusals:
    """What the broker refuses now; each topic and cause is told once.

    Foreign topics are told once a cause and are no problem: whoever asks can think of any number,
    and none would ever end well again.

    Attributes:
        num: publications refused.
    """

    def __init__(self) -> None:
        self.num = 0
        self._texts: dict[str, str] = {}  # by topic
        self._named: set[tuple[str, str]] = set()

    @property
    def problem(self) -> str | None:
        """One of them, in one line."""
        return next(iter(self._texts.copy().values()), None)

    def note(self, publication: Publication) -> str | None:
        """Counts a finished publication; returns the sentence where it is new."""
        topic, is_foreign = publication.message.topic, publication.message.foreign
        self._texts.pop(topic, None)
        if not publication.refused:
            return None
        self.num += 1
        named = ("" if is_foreign else topic, publication.cause)
        is_new = named not in self._named
        if is_new and len(self._named) >= MAX_NAMED:
            return None
        self._named.add(named)
        shown = topic[:100].encode("ascii", "backslashreplace").decode()
        text = f"the broker refuses a publication to {shown}: {publication.refused}"
        if not is_foreign:
            self._texts[topic] = text
        return text if is_new else None


class Outgoing(Protocol):
    """What is to be sent, asked for in the client's thread."""

    def begin(self, was_away: bool) -> None:
        """A new connection; ``was_away``: after an attempt that failed."""

    def take(self, room: int) -> Sequence[Publication]:
        """At most so many publications, none when nothing waits."""

    def lost(self) -> None:
        """The connection has ended: nothing in flight will be acknowledged any more."""

    def finished(self, publication: Publication) -> None:
        """One of them is acknowledged or refused."""
