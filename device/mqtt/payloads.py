"""Every JSON payload is built here, and nowhere else; ``schemas/`` says what they look like."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from device.mqtt.clock import WallClock
from device.mqtt.identity import Identity
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
Payload = dict[str, Any]


def encode(payload: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON; half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes ?."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace")


class Payloads:
    """Builds payloads; ``seq`` counts per topic from 1, so that a gap shows a loss.

    Args:
        identity: who speaks.
        clock: when.
    """

    def __init__(self, identity: Identity, clock: WallClock) -> None:
        self._identity, self._clock = identity, clock
        self._seq: Counter[str] = Counter()

    def _envelope(self, topic: str, at_s: float) -> Payload:
        self._seq[topic] += 1
        return {
            "schema": SCHEMA,
            "device_id": self._identity.device_id,
            "boot_id": self._identity.boot_id,
            "seq": self._seq[topic],
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
        }

    def health(self, report: Mapping[str, Any], at_s: float) -> Payload:
        """How the appliance itself is; ``report`` comes from ``device.service.health``."""
        return {**self._envelope("health", at_s), **report}

    def response(
        self, name: str, transaction: str | None, at_s: float, *, data: Any = None, error: str = ""
    ) -> Payload:
        """The answer to a command: ``data``, or ``error`` when it was refused."""
        outcome = {"status": "error", "error": error} if error else {"status": "ok", "data": data}
        return {**self._envelope(f"response/{name}", at_s), "transaction": transaction, **outcome}


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
