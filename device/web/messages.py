"""What the page is told, as JSON. Times are ages in seconds: the browser knows what time it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from device.vocabulary import EXPRESSIONS, ExpressionEvent, FaceState, Scene
from device.web.feed import Newest

Message = dict[str, Any]
Guide = Mapping[str, float | None]


def encode(message: Any) -> bytes:
    """Compact UTF-8 JSON."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace")


def server_sent(name: str, message: Any) -> bytes:
    """A server-sent event; JSON has no line breaks of its own."""
    return b"event: " + name.encode() + b"\ndata: " + encode(message) + b"\n\n"


def state(newest: Newest, guide: Guide | None, now_s: float, flashes: bool = False) -> Message:
    """What is seen now.

    Args:
        newest: what the loop finished last.
        guide: of the largest face, see ``routes.Backstage.measure``; None without one.
        now_s: monotonic.
        flashes: whether the sign of ``identify`` is shown.
    """
    scene, status = newest.scene, newest.status
    return {
        "camera": status.camera.value,
        "problem": status.problem,
        "width": scene.frame_width,
        "height": scene.frame_height,
        "age_s": round(max(0.0, now_s - scene.at_s), 2),
        "faces": [_face(face, scene) for face in scene.faces],
        "guide": guide and {key: _number(value) for key, value in guide.items()},
        "reason": newest.largest and newest.largest.face.rejection_reason,
        "has_picture": newest.frame is not None,
        "flashes": flashes,
    }


def events(numbered: Iterable[tuple[int, ExpressionEvent]], now_s: float) -> list[Message]:
    """The events, oldest first."""
    return [
        {
            "number": number,
            "event_type": event.event_type.value,
            "track_id": event.track_id,
            "expression": event.expression.value,
            "previous": event.previous and event.previous.value,
            "probability": _number(event.probability),
            "duration_ms": event.duration_ms,
            "age_s": round(max(0.0, now_s - event.at_s), 2),
        }
        for number, event in numbered
    ]


def _face(face: FaceState, scene: Scene) -> Message:
    width, height = max(scene.frame_width, 1), max(scene.frame_height, 1)
    box = face.box
    shares = (box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height)
    named = zip(EXPRESSIONS, face.probabilities, strict=True)
    return {
        "track_id": face.track_id,
        "expression": face.expression.value,
        "probability": _number(face.probability),
        "probabilities": {expression.value: _number(value) for expression, value in named},
        "box": [round(min(1.0, max(0.0, share)), 4) for share in shares],
        "for_s": round(max(0.0, scene.at_s - face.since_s), 1),
        "reason": face.rejection_reason,
        "rest_known": _number(face.rest_known),
        "is_missing": face.missing_s > 0,
    }


def _number(value: float | None) -> float | None:
    """As JSON can carry it."""
    return round(float(value), 4) if value is not None and math.isfinite(value) else None
