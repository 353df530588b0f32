"""Posed faces beside the same face at rest: what each shows, and how the two differ.

A mild pose looks neutral to people who see nothing else, and FER+'s votes say so. Beside the same
face at rest it is plain. So the FER+ head learns both: each row's own answer, and the difference
of its logits to those of the face at rest, which is what the device names.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.vocabulary import EXPRESSIONS, Expression
from training.data.augmentation import Augmentation, augment
from training.data.extended import POSES_A_FACE
from training.data.fer2013 import NUM_CLASSES, Pictures

NEUTRAL = EXPRESSIONS.index(Expression.NEUTRAL)
REST_LEAD = 1.0  # of neutral in the difference: what differs little is at rest
COLUMNS = 2 * NUM_CLASSES + 2  # of a target: own answer, difference, row of the rest, weight

Rows = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]


def find_pairs(pictures: Pictures) -> tuple[Rows, Rows]:
    """The posed faces, and of each the same face at rest.

    ``add-posed`` writes a face's poses one after another, the rest last; where cleaning has dropped
    the rest, its poses are no pairs.

    Returns:
        Two arrays (p,) of indices.
    """
    indices = np.flatnonzero(pictures.posed)
    at = {int(name.rpartition(" ")[2]): int(i) for name, i in
          zip(pictures.names[indices], indices, strict=True)}  # fmt: skip
    pairs = []
    for row, index in at.items():
        if pictures.labels[index] == NEUTRAL:
            poses = [at[n] for n in range(row - POSES_A_FACE + 1, row) if n in at]
            pairs += [(pose, index) for pose in poses if pictures.labels[pose] != NEUTRAL]
    posed, rest = np.array(pairs, np.int64).reshape(-1, 2).T
    return posed, rest


def vary_pairs(
    posed: Pixels, rest: Pixels, augmentation: Augmentation, random: np.random.Generator
) -> Pixels:
    """(2 p, 48, 48) the rests, then the posed ones, each two under one camera.

    Args:
        posed: (p, 48, 48).
        rest: (p, 48, 48) of the same faces.
        augmentation: how both are varied.
        random: where its numbers come from.
    """
    seed = int(random.integers(2**31))
    both = (augment(faces, augmentation, np.random.default_rng(seed)) for faces in (rest, posed))
    return np.concatenate(list(both))


def with_difference(own: Values, posed_labels: Rows, smoothing: float, weight: float) -> Values:
    """(b, 16) targets of a batch that ends with p rests and their p posed faces.

    Args:
        own: (b, 7) what each row shows by itself.
        posed_labels: (p,) what was posed.
        smoothing: of the labels of the differences.
        weight: of the differences in the loss; a row's own answer counts 1.
    """
    count, pairs = len(own), len(posed_labels)
    targets = np.zeros((count, COLUMNS), np.float32)
    targets[:, :NUM_CLASSES] = own
    last = slice(count - pairs, count)
    one_hot = np.eye(NUM_CLASSES, dtype=np.float32)[posed_labels]
    targets[last, NUM_CLASSES:-2] = one_hot * (1 - smoothing) + smoothing / NUM_CLASSES
    targets[last, -2] = np.arange(count - 2 * pairs, count - pairs)
    targets[last, -1] = weight
    return targets
