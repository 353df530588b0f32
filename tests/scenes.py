"""Events, scenes and states for tests."""

from __future__ import annotations

import time

import numpy as np

from device.vocabulary import (
    EXPRESSIONS,
    BoundingBox,
    CameraState,
    EventType,
    Expression,
    ExpressionEvent,
    FaceState,
    Probabilities,
    Scene,
    Status,
)

ONLINE = Status(CameraState.ONLINE, model="expression 1", detector="haar")


def probabilities_for(expression: Expression, probability: float = 0.9) -> Probabilities:
    """The rest is shared evenly."""
    values = np.full(7, (1 - probability) / 6, np.float32)
    if expression is Expression.UNCERTAIN:
        return np.full(7, 1 / 7, np.float32)
    values[EXPRESSIONS.index(expression)] = probability
    return values


def change(
    track_id: int = 1,
    expression: Expression = Expression.HAPPY,
    previous: Expression | None = Expression.NEUTRAL,
    at_s: float | None = None,
) -> ExpressionEvent:
    kind = EventType.APPEARED if previous is None else EventType.CHANGED
    at_s = time.monotonic() if at_s is None else at_s
    values = probabilities_for(expression)
    return ExpressionEvent(kind, track_id, expression, previous, 0.9, values, 1200, at_s)


def scene_with(
    *expressions: Expression, at_s: float = 10.0, shift_px: float = 0.0, probability: float = 0.9
) -> Scene:
    faces = tuple(
        FaceState(
            track_id=number,
            expression=expression,
            probability=probability,
            probabilities=probabilities_for(expression, probability),
            box=BoundingBox(100 + shift_px, 100, 200 + shift_px, 200),
            since_s=at_s - 2.0,
        )
        for number, expression in enumerate(expressions, start=1)
    )
    return Scene(faces, 640, 480, at_s)
