"""The batches of an epoch: varied pictures, and what each head shall answer about them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.classifier.posed_pairs import find_pairs, vary_pairs, with_difference
from training.classifier.recipe import Recipe, Targets
from training.data.augmentation import augment
from training.data.fer2013 import NUM_CLASSES, Pictures

Teacher = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
Item = TypeVar("Item")


class Batches:
    """Augmented batches; the same seed and epoch give the same batches, also after a resume.

    Args:
        pictures: to learn from.
        targets: (n, 7) for each head.
        recipe: augmentation, batch size, seed.
        views: for some heads a teacher, (b, 48, 48) uint8 to (b, 7) probabilities, which is asked
            about each varied picture: a good teacher is consistent (Beyer et al., CVPR 2022).
    """

    def __init__(
        self, pictures: Pictures, targets: Targets, recipe: Recipe,
        views: dict[str, Teacher] | None = None,
    ) -> None:  # fmt: skip
        self.pictures, self.targets, self.recipe = pictures, targets, recipe
        self.views = views or {}
        self.posed, self.rest = np.zeros((2, 0), np.int64)
        self.ordinary = np.arange(len(pictures))
        if recipe.posed_pairs:
            self.posed, self.rest = find_pairs(pictures)
            self.ordinary = np.flatnonzero(~pictures.posed)
            if len(self.posed) < recipe.posed_pairs:
                raise UsageError(
                    f"--posed-pairs {recipe.posed_pairs}: the training split has "
                    f"{len(self.posed)} posed faces; `training add-posed` adds some"
                )
        self.weights = np.ones(len(pictures), np.float32)
        if recipe.balance == "weights":
            self.weights = class_weights(pictures.labels)

    def __len__(self) -> int:
        """Steps an epoch; what does not fill a batch waits for another epoch's order."""
        return max(len(self.ordinary) // self.recipe.batch_size, 1)

    def of_epoch(self, epoch: int) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The epoch's batches: (b, 48, 48, 1) float32 pixels 0 to 255 and targets a head.

        With pairs, b is the batch size and twice their number; see ``posed_pairs``.
        """
        random = np.random.default_rng((self.recipe.seed, epoch))
        order = random.permutation(self.ordinary)
        if self.recipe.balance == "oversampling":
            labels = self.pictures.labels[self.ordinary]
            order = self.ordinary[every_class_as_often(labels, random)]
        for index in range(len(self)):
            size = self.recipe.batch_size
            chosen = order[index * size : (index + 1) * size]
            varied = augment(self.pictures.pixels[chosen], self.recipe.augmentation, random)
            targets = {head: target[chosen] for head, target in self.targets.items()}
            if self.recipe.p_mixup:
                varied, targets = mix_up(varied, targets, self.recipe.p_mixup, random)
            for head in self.views:
                targets[head] = self.taught(head, targets[head], varied)
            if self.recipe.balance == "weights":
                targets = {h: t * self.weights[chosen, None] for h, t in targets.items()}
            if self.recipe.posed_pairs:
                varied, targets = self.add_pairs(varied, targets, random)
            yield varied[..., None].astype(np.float32), targets

    def taught(
        self, head: str, targets: npt.NDArray[np.float32], varied: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """(b, 7) targets with the head's teacher's share of answers about the varied pictures."""
        share = np.float32(self.recipe.view_share)
        return (1 - share) * targets + share * self.views[head](varied)

    def add_pairs(
        self, varied: npt.NDArray[np.uint8], targets: Targets, random: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Targets]:
        """The batch with rests and posed faces after it; FER2013's labels say nothing of them."""
        recipe, pixels = self.recipe, self.pictures.pixels
        chosen = random.choice(len(self.posed), recipe.posed_pairs, replace=False)
        posed, rest = self.posed[chosen], self.rest[chosen]
        pairs = vary_pairs(pixels[posed], pixels[rest], recipe.augmentation, random)
        own = np.concatenate([self.targets["crowd"][i] for i in (rest, posed)])
        if "crowd" in self.views:
            own = self.taught("crowd", own, pairs)
        crowd = with_difference(
            np.concatenate([targets["crowd"], own]),
            self.pictures.labels[posed],
            recipe.label_smoothing,
            recipe.difference_weight,
        )
        silent = np.zeros((len(pairs), NUM_CLASSES), np.float32)
        labels = np.concatenate([targets["fer2013"], silent])
        return np.concatenate([varied, pairs]), {"fer2013": labels, "crowd": crowd}


def class_weights(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """(n,) weight of each picture: all classes weigh the same, the mean picture 1."""
    counts = np.bincount(labels)
    present = np.count_nonzero(counts)
    return np.asarray(len(labels) / (present * counts[labels]), np.float32)


def every_class_as_often(
    labels: npt.NDArray[np.int64], random: np.random.Generator
) -> npt.NDArray[np.intp]:
    """(n,) indices in random order, as many of each class; of a rare one all pictures, and again."""
    classes = np.unique(labels)
    each = -(-len(labels) // len(classes))
    drawn = []
    for label in classes:
        own = random.permutation(np.flatnonzero(labels == label))
        drawn.append(np.resize(own, each))
    return random.permutation(np.concatenate(drawn))[: len(labels)]


def mix_up(
    pixels: npt.NDArray[np.uint8], targets: Targets, share: float, random: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Targets]:
    """Lays some pictures over others, and their targets likewise.

    Args:
        pixels: (b, 48, 48) uint8.
        targets: (b, 7) for each head.
        share: of pictures that this happens to.
        random: where the numbers come from; the weight of the first is uniform from 0 to 1.

    Returns:
        New pixels and targets.
    """
    count = len(pixels)
    mixed = random.random(count) < share
    weight = np.where(mixed, random.random(count), 1.0).astype(np.float32)
    other = random.permutation(count)
    over = weight[:, None, None]
    laid = pixels * over + pixels[other] * (1 - over)
    over = weight[:, None]
    both = {head: one * over + one[other] * (1 - over) for head, one in targets.items()}
    return np.rint(laid).astype(np.uint8), both


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; a thread prepares the next one while the last is worked on.

    Varying pictures and asking teachers about them takes as long as half of the training.
    """
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(list, itertools.islice(items, 1))
        while item := coming.result():
            coming = worker.submit(list, itertools.islice(items, 1))
            yield item[0]
