"""Events that wait for the broker: bounded, oldest dropped first and counted.

Events leave in order and stay until the broker has acknowledged them, so they arrive at least
once; ``boot_id`` and ``seq`` let a subscriber drop the second copy.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Protocol


@dataclass(frozen=True)
class Waiting:
    """An event in the outbox.

    Attributes:
        number: rises with every event.
        payload: JSON as built when it happened.
        late: true when it was put while the broker was away (or before a restart).
    """

    number: int
    payload: bytes
    late: bool


class Outbox(Protocol):
    """Put by the loop, emptied by the network thread; no method raises or blocks for long."""

    def put(self, payload: bytes, late: bool) -> None:
        """Keeps an event; drops the oldest when full."""

    def after(self, number: int, limit: int) -> list[Waiting]:
        """The oldest events with a greater number."""

    def remove(self, numbers: Collection[int]) -> None:
        """Forgets what the broker has acknowledged."""

    @property
    def depth(self) -> int:
        """Events that wait."""

    @property
    def dropped(self) -> int:
        """Events lost to the bound since the start."""

    @property
    def problem(self) -> str | None:
        """What is wrong with the store, in one line."""

    def close(self) -> None:
        """Ends the use."""


class MemoryOutbox:
    """Keeps events in memory; they end with the process.

    Args:
        max_events: events kept; the oldest go first.
        problem: why not on disk, where that was wanted.
    """

    def __init__(self, max_events: int, problem: str | None = None) -> None:
        self._problem = problem
        self._lock = threading.Lock()
        self._events: OrderedDict[int, Waiting] = OrderedDict()
        self._max_events, self._number, self._dropped = max_events, 0, 0

    def put(self, payload: bytes, late: bool) -> None:
        """Keeps an event; drops the oldest when full."""
        with self._lock:
            self._number += 1
            self._events[self._number] = Waiting(self._number, payload, late)
            if len(self._events) > self._max_events:
                self._events.popitem(last=False)
                self._dropped += 1

    def after(self, number: int, limit: int) -> list[Waiting]:
        """The oldest events with a greater number."""
        with self._lock:  # only the few in flight stand before the wanted ones
            wanted = (event for event in self._events.values() if event.number > number)
            return list(islice(wanted, limit))

    def remove(self, numbers: Collection[int]) -> None:
        """Forgets what the broker has acknowledged."""
        with self._lock:
            for number in numbers:
                self._events.pop(number, None)

    @property
    def depth(self) -> int:
        """Events that wait."""
        return len(self._events)

    @property
    def dropped(self) -> int:
        """Events lost to the bound."""
        return self._dropped

    @property
    def problem(self) -> str | None:
        """Why this is not on disk, if it should be."""
        return self._problem

    def close(self) -> None:
        """Nothing to do."""
