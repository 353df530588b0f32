"""Classifies a face when that is worth it; between two answers the last one is repeated.

A new face is classified at once and then in every frame until its answer is steady. A steady
face is classified every ``interval_s``, and at once when its crop has changed. When many faces are
due, those that have waited longest in units of their own interval go first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from device.vocabulary import Classification, Face, GreyImage, Probabilities

MAX_A_FRAME = 2  # known faces that are classified in one frame; a new one is never kept waiting
STEADY_S = 0.6  # for so long the same expression has to lead clearly
CLEAR = 0.6  # least probability of a clear answer
COMPARED_PX = 24  # side at which two crops are compared
SHIFT_PX = 2  # of it: how far a trembling box may have moved the face
MAX_CHANGE = 0.1  # of 1 - correlation: 5 % of a still face's frames under noise are above
MAX_PERIOD_S = 0.5  # a longer pause between two frames is a camera that was away
FORGOTTEN_S = 2.0  # a track that was not seen for so long does not come back

Classify = Callable[[Sequence[Face]], list[Classification]]


@dataclass
class _Memory:
    """The last answer for one track."""

    probabilities: Probabilities
    small: GreyImage
    answered_s: float
    seen_s: float
    leader: int
    clear_since_s: float | None

    def is_steady(self) -> bool:
        """The same expression has led clearly for long enough."""
        since_s = self.clear_since_s
        return since_s is not None and self.answered_s - since_s >= STEADY_S

    def changed(self, small: GreyImage) -> bool:
        """The crop differs from the classified one by more than a trembling box explains."""
        inner = self.small[SHIFT_PX:-SHIFT_PX, SHIFT_PX:-SHIFT_PX]
        correlation = cv2.matchTemplate(small, inner, cv2.TM_CCOEFF_NORMED).max()
        return not 1 - float(correlation) <= MAX_CHANGE  # also for the NaN of a flat crop


class IntervalClassifier:
    """Names the expressions of tracked faces; see the module.

    Args:
        classify: the model's call for some faces.
        interval_s: between two answers for a steady face; 0 classifies every face in every frame.
        slowness: asked in every frame; above 1 on a busy board: the intervals grow and the
            answers a frame shrink by so much.
    """

    def __init__(
        self, classify: Classify, interval_s: float, slowness: Callable[[], float] = lambda: 1.0
    ) -> None:
        self._classify, self._interval_s, self._slowness = classify, interval_s, slowness
        self._memories: dict[int, _Memory] = {}
        self._frame_s: float | None = None
        self._period_s = 0.0

    def classify(self, faces: Sequence[Face], now_s: float) -> list[Classification]:
        """One classification a face, in order.

        Args:
            faces: of one frame; one without a track id is always classified.
            now_s: time of the frame.
        """
        if self._frame_s is not None:
            self._period_s = min(max(0.0, now_s - self._frame_s), MAX_PERIOD_S)
        self._frame_s = now_s
        chosen = self._choose(faces, now_s)
        answers = dict(zip(chosen, self._classify([faces[i] for i in chosen]), strict=True))
        for answer in answers.values():
            self._remember(answer, now_s)
        self._memories = {
            track_id: memory
            for track_id, memory in self._memories.items()
            if now_s - memory.seen_s <= FORGOTTEN_S
        }
        return [answers.get(i) or self._repeated(face, now_s) for i, face in enumerate(faces)]

    def _choose(self, faces: Sequence[Face], now_s: float) -> list[int]:
        """Indices of the faces to classify, in order."""
        if self._interval_s <= 0:
            return list(range(len(faces)))
        new, waiting = [], []
        for i, face in enumerate(faces):
            memory = None if face.track_id is None else self._memories.get(face.track_id)
            fresh = memory and memory.answered_s <= now_s <= memory.seen_s + FORGOTTEN_S
            if memory is None or not fresh or face.rejection_reason is not None:
                new.append(i)  # a rejected face costs nothing
            elif (urgency := self._urgency(face, memory, now_s)) >= 1:
                waiting.append((-urgency, i))
        free = max(1, round(MAX_A_FRAME / self._slowness()))
        free -= sum(faces[i].rejection_reason is None for i in new)
        return sorted(new + [i for _, i in sorted(waiting)[: max(0, free)]])

    def _urgency(self, face: Face, memory: _Memory, now_s: float) -> float:
        """The time since the last answer in units of the interval; from 1 on it is due."""
        interval_s = self._interval_s * self._slowness()
        if not memory.is_steady() or memory.changed(_small(face)):
            interval_s = min(interval_s, self._period_s * self._slowness())
        # Half a frame early is nearer to the interval than half a frame late.
        waited_s = now_s - memory.answered_s + self._period_s / 2
        return waited_s / max(interval_s, 1e-3)

    def _remember(self, answer: Classification, now_s: float) -> None:
        face = answer.face
        if face.track_id is None:
            return
        if face.rejection_reason is not None:
            self._memories.pop(face.track_id, None)  # new again once it is good
            return
        leader = int(np.argmax(answer.probabilities))
        before, since_s = self._memories.get(face.track_id), None
        if answer.probability >= CLEAR:
            same = before is not None and before.leader == leader
            since_s = before.clear_since_s if before and same else None
            since_s = now_s if since_s is None else since_s
        self._memories[face.track_id] = _Memory(
            answer.probabilities, _small(face), now_s, now_s, leader, since_s
        )

    def _repeated(self, face: Face, now_s: float) -> Classification:
        assert face.track_id is not None
        memory = self._memories[face.track_id]
        memory.seen_s = now_s
        return Classification(face, memory.probabilities, is_new=False)


def _small(face: Face) -> GreyImage:
    if face.crop is None:
        raise ValueError("a face without a crop: it has to go through the stage first")
    size = (COMPARED_PX, COMPARED_PX)
    return np.asarray(cv2.resize(face.crop, size, interpolation=cv2.INTER_AREA), np.uint8)
