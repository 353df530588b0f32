"""Non-maximum suppression (NMS): one face of the many overlapping answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.vocabulary import BoundingBox, Face

NESTED_SHARE = 0.7  # of the smaller box that lies in the larger one

Boxes = npt.NDArray[np.float32]  # (N, 4): xmin, ymin, xmax, ymax px


@dataclass(frozen=True)
class Merged:
    """One face made of several answers.

    Attributes:
        box: (4,) mean of the answers, weighted by their scores.
        score: of the best answer.
        members: indices of the answers, best first.
    """

    box: npt.NDArray[np.float32]
    score: float
    members: npt.NDArray[np.intp]


def merge_overlapping(
    boxes: Boxes, scores: npt.NDArray[np.float32], min_overlap: float
) -> list[Merged]:
    """Groups answers around the best ones, best first.

    Args:
        boxes: (N, 4).
        scores: (N,) above zero.
        min_overlap: intersection over union with the best answer of the group.
    """
    order = np.argsort(-scores)
    groups = []
    while order.size:
        joined = intersections_over_unions(boxes[order[0]], boxes[order]) >= min_overlap
        joined[0] = True  # also a box of no area leaves the list
        members = order[joined]
        weights = scores[members] / scores[members].sum()
        box = (boxes[members] * weights[:, None]).sum(axis=0)
        groups.append(Merged(box.astype(np.float32), float(scores[members[0]]), members))
        order = order[~joined]
    return groups


def intersections_over_unions(box: npt.NDArray[np.float32], boxes: Boxes) -> Boxes:
    """(N,) overlap of one (4,) box with each of (N, 4)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def without_nested(faces: Sequence[Face]) -> list[Face]:
    """Drops the less certain of two faces that lie in one another, such as an eye in a face."""
    return _first_of_nested(sorted(faces, key=lambda f: (-f.score, -f.box.area)))


def without_inner(faces: Sequence[Face]) -> list[Face]:
    """Drops what lies in a larger face, such as a mouth or a lens of its glasses; largest first."""
    return _first_of_nested(sorted(faces, key=lambda f: -f.box.area))


def _first_of_nested(faces: Sequence[Face]) -> list[Face]:
    kept: list[Face] = []
    for face in faces:
        if all(_nesting(face.box, other.box) < NESTED_SHARE for other in kept):
            kept.append(face)
    return kept


def _nesting(a: BoundingBox, b: BoundingBox) -> float:
    """Share of the smaller box that lies in the other."""
    low, high = max(a.xmin, b.xmin), min(a.xmax, b.xmax)
    shared = BoundingBox(low, max(a.ymin, b.ymin), high, min(a.ymax, b.ymax))
    return shared.area / max(min(a.area, b.area), 1e-6)
