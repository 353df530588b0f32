"""What the page shows: the newest state and the last events, overheard from the loop.

The loop only leaves references here. Whatever costs time (JSON, JPEG, measuring a crop) is done by
whoever looks, in a thread of the server.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from device.vocabulary import Classification, ExpressionEvent, Frame, Scene, Status

MOST_EVENTS = 300
ALIVE_S = 10.0  # the loop finishes a frame, or notices that there is none, twice a second


@dataclass(frozen=True)
class Newest:
    """What the loop finished last.

    Attributes:
        scene: the faces, largest first.
        status: camera, problem, model.
        frame: the picture; None where it is not to be shown, and while there is none.
        largest: the largest face of the frame, as it was classified; None without one.
    """

    scene: Scene
    status: Status
    frame: Frame | None = None
    largest: Classification | None = None


class Feed:
    """Written by the loop's thread, read by the server's.

    Args:
        keep_frame: whether the newest frame is kept for the picture.

    Attributes:
        run: tells this start of the device from every other one.
        flashes_until_s: until when the page shows the sign of ``identify``, monotonic.
    """

    def __init__(self, keep_frame: bool = False) -> None:
        self.keep_frame = keep_frame
        self.closing = threading.Event()
        self.run = secrets.token_hex(8)
        self.flashes_until_s = float("-inf")
        self._newest: Newest | None = None
        self._largest: Classification | None = None
        self._lock = threading.Lock()
        self._events: deque[tuple[int, ExpressionEvent]] = deque(maxlen=MOST_EVENTS)
        self._num_events = 0

    # Called by the loop.

    def publish(self, event: ExpressionEvent) -> None:
        """An event as it is sent."""
        with self._lock:
            self._num_events += 1
            self._events.append((self._num_events, event))

    def collect(self, classifications: Sequence[Classification], now_s: float) -> None:
        """The frame's faces before smoothing, largest first."""
        self._largest = classifications[0] if classifications else None

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        """The newest state; ``frame`` is None while there is none."""
        largest = None if frame is None else self._largest
        self._newest = Newest(scene, status, frame if self.keep_frame else None, largest)

    # Called by the server.

    @property
    def newest(self) -> Newest | None:
        """What the loop finished last; None before the first frame."""
        return self._newest

    def events_after(self, number: int) -> list[tuple[int, ExpressionEvent]]:
        """The events after one, numbered from 1; the oldest are gone."""
        with self._lock:
            return [(n, event) for n, event in self._events if n > number]

    def close(self) -> None:
        """Lets whoever looks go home."""
        self.closing.set()
