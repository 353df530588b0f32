"""Every JSON payload is built here, and nowhere else; ``schemas/`` says what they look like.

So is its time. A Raspberry Pi before the 5 has no battery clock: until NTP has set it, it is wrong.
"""

from __future__ import annotations

import ctypes
import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from device.mqtt.identity import Identity
from device.mqtt.schemas import names
from device.vocabulary import (
    EXPRESSIONS,
    BoundingBox,
    Expression,
    ExpressionEvent,
    FaceState,
    Probabilities,
    Scene,
    Status,
)

SCHEMA = 1
COMMANDS = frozenset(n.removeprefix("command-") for n in names() if n.startswith("command-"))
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
TIMEX_BYTES = 512  # more than struct timex on any Linux
TIMESYNCD_SAYS_SO = Path("/run/systemd/timesync/synchronized")
RECHECK_S = 10.0
Payload = dict[str, Any]


def encode(payload: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON; half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes ?."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace")


def clock_is_synced() -> bool:
    """True when NTP has set the clock, by systemd-timesyncd's mark or the kernel."""
    if TIMESYNCD_SAYS_SO.exists():
        return True
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (AttributeError, OSError):
        return False
    return 0 <= state < TIME_ERROR


def as_historical(event: bytes) -> bytes:
    """An encoded event that has waited for the broker; earlier versions kept it with spaces."""
    return re.sub(rb'"historical": ?false', b'"historical":true', event, count=1)


class WallClock:
    """Translates the monotonic clock.

    Args:
        monotonic: the clock that ``at_s`` values come from.
        wall: seconds since 1970.
        is_synced: whether ``wall`` can be trusted.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        is_synced: Callable[[], bool] = clock_is_synced,
    ) -> None:
        self._monotonic, self._wall, self._is_synced = monotonic, wall, is_synced
        self._synced, self._checked_s = False, float("-inf")

    def now_s(self) -> float:
        """The monotonic clock."""
        return self._monotonic()

    def rfc3339(self, at_s: float) -> str:
        """``2026-11-23T14:05:09.123Z`` of a monotonic reading."""
        wall_s = self._wall() - (self._monotonic() - at_s)
        moment = datetime.fromtimestamp(wall_s, tz=timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def synced(self) -> bool:
        """Whether the wall clock has been set; asked again after a while."""
        now_s = self._monotonic()
        if now_s - self._checked_s >= RECHECK_S:
            self._synced, self._checked_s = self._is_synced(), now_s
        return self._synced


class Payloads:
    """Builds payloads; ``seq`` counts per topic from 1, so that a gap shows a loss.

    Answers to names that are no command count together: anybody can think of any number of names.

    Args:
        identity: who speaks.
        clock: when.
    """

    def __init__(self, identity: Identity, clock: WallClock) -> None:
        self._identity, self._clock = identity, clock
        self._seq: Counter[str] = Counter()
        self._counting = threading.Lock()  # loop and client both answer commands

    def _envelope(self, topic: str, at_s: float) -> Payload:
        with self._counting:
            self._seq[topic] += 1
            seq = self._seq[topic]
        return {
            "schema": SCHEMA,
            "device_id": self._identity.device_id,
            "boot_id": self._identity.boot_id,
            "seq": seq,
            "at": self._clock.rfc3339(at_s),
            "clock_synced": self._clock.synced,
            "historical": False,
        }

    def event(self, event: ExpressionEvent) -> Payload:
        """One change of one face."""
        previous = None if event.previous is None else event.previous.value
        return {
            **self._envelope("event", event.at_s),
            "event_type": event.event_type.value,
            "track_id": event.track_id,
            "expression": event.expression.value,
            "previous": previous,
            "probability": _share(event.probability),
            "probabilities": _by_name(event.probabilities),
            "duration_ms": int(event.duration_ms),
        }

    def state(self, scene: Scene, status: Status) -> Payload:
        """What is seen now."""
        dominant = scene.faces[0] if scene.faces else None
        return {
            **self._envelope("state", scene.at_s),
            "camera": status.camera.value,
            "problem": status.problem,
            "num_faces": len(scene.faces),
            "expression": dominant.expression.value if dominant else None,
            "probability": _share(dominant.probability) if dominant else None,
            "faces": [self._face(face, scene) for face in scene.faces],
        }

    def _face(self, face: FaceState, scene: Scene) -> Payload:
        return {
            "track_id": face.track_id,
            "expression": face.expression.value,
            "probability": _share(face.probability),
            "probabilities": _by_name(face.probabilities),
            "box": normalised(face.box, scene.frame_width, scene.frame_height),
            "since": self._clock.rfc3339(face.since_s),
            "duration_ms": max(0, round((scene.at_s - face.since_s) * 1e3)),
            "doubt": face.rejection_reason,
            "rest_known": round(face.rest_known, 1),
        }

    def health(self, report: Mapping[str, Any], at_s: float) -> Payload:
        """How the appliance itself is; ``report`` comes from ``device.daemon.health``."""
        return {**self._envelope("health", at_s), **report}

    def response(
        self, name: str, transaction: str | None, at_s: float, *, data: Any = None, error: str = ""
    ) -> Payload:
        """The answer to a command: ``data``, or ``error`` when it was refused."""
        outcome = {"status": "error", "error": error} if error else {"status": "ok", "data": data}
        topic = f"response/{name}" if name in COMMANDS else "response"
        return {**self._envelope(topic, at_s), "transaction": transaction, **outcome}


def normalised(box: BoundingBox, width: int, height: int) -> Sequence[float]:
    """[xmin, ymin, xmax, ymax] as shares of the frame, clipped to it."""
    width, height = max(width, 1), max(height, 1)
    shares = (box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height)
    return [round(min(1.0, max(0.0, share)), 4) for share in shares]


def _share(value: float) -> float:
    """A probability as JSON can carry it; a network's NaN becomes 0."""
    return round(min(1.0, max(0.0, float(value))), 4) if math.isfinite(value) else 0.0


def _by_name(probabilities: Probabilities) -> dict[str, float]:
    pairs: zip[tuple[Expression, float]] = zip(EXPRESSIONS, probabilities, strict=True)
    return {expression.value: _share(value) for expression, value in pairs}
