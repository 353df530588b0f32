"""How often the retained ``state`` is said: changes soon, drift seldom."""

from __future__ import annotations

from collections.abc import Hashable

from device.vocabulary import Scene, Status

CHANGE_EVERY_S = 0.2  # another expression, another face, another problem
DRIFT_EVERY_S = 1.0  # a box or a probability that moved
BOX_STEP, PROBABILITY_STEP, KNOWN_STEP = 0.02, 0.05, 0.2


class StatePace:
    """When the retained ``state`` is worth saying: changes soon, drift seldom."""

    def __init__(self) -> None:
        self._said: tuple[Hashable, tuple[float, ...]] | None = None
        self._said_at_s = float("-inf")

    def is_due(self, scene: Scene, status: Status) -> bool:
        """True when the state should be said now; the caller then says it."""
        what = (
            status,
            tuple((face.track_id, face.expression, face.rejection_reason) for face in scene.faces),
        )
        where = _measures(scene)
        if self._said is not None:
            said_what, said_where = self._said
            waited_s = scene.at_s - self._said_at_s
            if what != said_what:
                if waited_s < CHANGE_EVERY_S:
                    return False
            elif waited_s < DRIFT_EVERY_S or all(
                abs(a - b) < 1.0 for a, b in zip(said_where, where, strict=True)
            ):
                return False
        self._said, self._said_at_s = (what, where), scene.at_s
        return True


def _measures(scene: Scene) -> tuple[float, ...]:
    """Probabilities, how well rests are known, box corners, each divided by the step that counts."""
    width, height = max(scene.frame_width, 1) * BOX_STEP, max(scene.frame_height, 1) * BOX_STEP
    values: list[float] = []
    for face in scene.faces:
        box = face.box
        values += [face.probability / PROBABILITY_STEP, face.rest_known / KNOWN_STEP]
        values += [box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height]
    return tuple(values)
