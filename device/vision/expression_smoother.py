"""From flickering answers to stable expressions, with the events worth telling.

Each track keeps a running mean of its probabilities, relative to its face at rest as far as that is
known. An expression that leads the mean for ``dwell_s`` is stable; one that falls below the
threshold gives way to ``uncertain``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from device.settings.tree import Smoothing as SmoothingSettings
from device.vision.resting_face import RestingFace
from device.vocabulary import (
    EXPRESSIONS,
    BoundingBox,
    Classification,
    EventType,
    Expression,
    ExpressionEvent,
    FaceState,
    Frame,
    Probabilities,
    Scene,
)

HYSTERESIS = 0.1  # a stable expression holds until it is this far below the threshold
APPEAR_AFTER_S = (
    0.2  # a new face is watched this long (or dwell_s, when less) before it is announced
)


@dataclass
class _Memory:
    """What the smoother knows of one track; ``number`` is its public id once it has appeared."""

    first_s: float
    seen_s: float
    box: BoundingBox
    total: Probabilities = field(default_factory=lambda: np.zeros(len(EXPRESSIONS), np.float32))
    weight: float = 0.0
    rejection_reason: str | None = None
    number: int = 0
    stable: Expression | None = None
    stable_probability: float = 0.0
    stable_reason: str | None = None
    stable_s: float = 0.0
    candidate: Expression | None = None
    candidate_s: float = 0.0
    rest: RestingFace = field(default_factory=RestingFace)
    answered_s: float | None = None

    @property
    def mean(self) -> Probabilities:
        """(7,) running mean; all equal before the first good crop."""
        if not self.weight:
            return np.full(len(EXPRESSIONS), 1 / len(EXPRESSIONS), np.float32)
        return self.total / np.float32(self.weight)

    def probability(self, expression: Expression) -> float:
        """Mean probability of the expression; of the leader for ``uncertain``."""
        if expression is Expression.UNCERTAIN:
            return float(self.mean.max())
        return float(self.mean[EXPRESSIONS.index(expression)])

    def confirm(self) -> None:
        """The newest frame shows the stable expression."""
        if self.stable is not None:
            self.stable_reason = self.rejection_reason
            self.stable_probability = self.probability(self.stable)


class ExpressionSmoother:
    """Running mean, threshold, dwell and silence, for each track."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._tracks: dict[int, _Memory] = {}
        # The tracker goes on with a track that has vanished here, as after a pause: a face that
        # appears has a number of its own.
        self._num_appeared = 0

    def retune(self, settings: SmoothingSettings) -> None:
        """Goes on with other settings; tracks and what they show stay."""
        self._settings = settings

    def update(
        self, classifications: Sequence[Classification], now_s: float
    ) -> list[ExpressionEvent]:
        """Takes one frame's answers; returns the events that it decides."""
        events = []
        for classification in classifications:
            track_id = classification.face.track_id
            if track_id is None:
                continue
            memory = self._tracks.get(track_id)
            if memory is None:
                memory = _Memory(now_s, now_s, classification.face.box)
                self._tracks[track_id] = memory
            self._take(memory, classification, now_s)
            event = self._decide(memory, now_s)
            if event:
                events.append(event)
        return events + self._vanish(now_s, self._settings.vanish_after_s)

    def calibrate(self, now_s: float) -> int:
        """Takes what each face in view shows in the next two seconds for its face at rest.

        Returns:
            The number of faces; 0 where ``rest`` is off.
        """
        if self._settings.rest == "off":
            return 0
        shown = [m for m in self._tracks.values() if m.stable is not None and m.seen_s >= now_s]
        for memory in shown:
            memory.rest.calibrate()
        return len(shown)

    def forget_rests(self) -> None:
        """For another model, which answers otherwise to the same faces at rest."""
        for memory in self._tracks.values():
            memory.rest = RestingFace()

    def clear(self, now_s: float) -> list[ExpressionEvent]:
        """Everybody vanishes, as nobody is watched from now on."""
        return self._vanish(now_s, float("-inf"))

    def scene(self, frame: Frame) -> Scene:
        """All faces announced and not yet vanished, largest first."""
        states = [
            FaceState(
                track_id=memory.number,
                expression=memory.stable,
                probability=memory.stable_probability,
                probabilities=memory.mean,
                box=memory.box,
                since_s=memory.stable_s,
                rejection_reason=memory.stable_reason,
                missing_s=max(0.0, frame.captured_at_s - memory.seen_s),
                rest_known=memory.rest.known,
            )
            for memory in self._tracks.values()
            if memory.stable is not None
        ]
        states.sort(key=lambda state: -state.box.area)
        return Scene(tuple(states), frame.width, frame.height, frame.captured_at_s)

    def _take(self, memory: _Memory, classification: Classification, now_s: float) -> None:
        memory.seen_s = now_s
        memory.box = classification.face.box
        memory.rejection_reason = classification.face.rejection_reason
        if memory.rejection_reason is None and classification.is_new:
            self._average(memory, classification.probabilities, now_s)
        candidate = self._candidate(memory)
        if candidate is not memory.candidate:
            memory.candidate, memory.candidate_s = candidate, now_s

    def _average(self, memory: _Memory, probabilities: Probabilities, now_s: float) -> None:
        before_s = memory.first_s if memory.answered_s is None else memory.answered_s
        elapsed_s = max(0.0, now_s - before_s)
        memory.answered_s = now_s
        if self._settings.rest == "auto":
            memory.rest.observe(probabilities, elapsed_s)
            probabilities = memory.rest.relative(probabilities)
        window = self._settings.window_s
        keep = math.exp(-elapsed_s / window) if window > 0 else 0.0
        # Weighted like this, the first answers count fully instead of rising from zero.
        memory.total = memory.total * np.float32(keep) + probabilities
        memory.weight = memory.weight * keep + 1

    def _candidate(self, memory: _Memory) -> Expression:
        """What the face seems to show now, before dwell."""
        if memory.rejection_reason is not None:
            return Expression.UNCERTAIN
        leader = EXPRESSIONS[int(np.argmax(memory.mean))]
        threshold = self._settings.threshold
        if leader is memory.stable:
            threshold -= HYSTERESIS
        return leader if memory.probability(leader) >= threshold else Expression.UNCERTAIN

    def _decide(self, memory: _Memory, now_s: float) -> ExpressionEvent | None:
        settings, candidate = self._settings, memory.candidate
        if candidate is None:
            return None
        if memory.stable is None:
            patience = settings.dwell_s  # something better may come than `uncertain`
            if candidate is not Expression.UNCERTAIN:
                patience = min(APPEAR_AFTER_S, settings.dwell_s)
            if now_s - memory.first_s < patience:
                return None
            self._num_appeared += 1
            memory.number = self._num_appeared
            return self._make_stable(EventType.APPEARED, memory, now_s)
        if candidate is memory.stable:
            memory.confirm()
            return None
        steady = now_s - memory.candidate_s >= settings.dwell_s
        if steady and now_s - memory.stable_s >= settings.refractory_s:
            return self._make_stable(EventType.CHANGED, memory, now_s)
        return None

    def _make_stable(self, event_type: EventType, memory: _Memory, now_s: float) -> ExpressionEvent:
        previous, since_s = memory.stable, memory.stable_s
        memory.stable, memory.stable_s = memory.candidate, now_s
        memory.confirm()
        duration_s = 0.0 if previous is None else now_s - since_s
        return _event(event_type, memory, previous, duration_s, now_s)

    def _vanish(self, now_s: float, after_s: float) -> list[ExpressionEvent]:
        """Forgets who has been unseen for longer than ``after_s``; tells of who had appeared."""
        events = []
        for track_id, memory in list(self._tracks.items()):
            if now_s - memory.seen_s <= after_s:
                continue
            del self._tracks[track_id]
            if memory.stable is not None:
                lasted_s = memory.seen_s - memory.first_s
                events.append(_event(EventType.VANISHED, memory, memory.stable, lasted_s, now_s))
        return events


def _event(
    event_type: EventType,
    memory: _Memory,
    previous: Expression | None,
    duration_s: float,
    now_s: float,
) -> ExpressionEvent:
    expression = memory.stable or Expression.UNCERTAIN
    return ExpressionEvent(
        event_type=event_type,
        track_id=memory.number,
        expression=expression,
        previous=previous,
        probability=memory.stable_probability,
        probabilities=memory.mean,
        duration_ms=round(duration_s * 1000),
        at_s=now_s,
    )
