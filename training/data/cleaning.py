"""Takes out of the training split what would spoil it, and says what and why.

Four reasons, in this order: the picture stands in the validation or test split as well (else
the test leaks into training), it repeats an earlier training picture, it shows nothing, or it
shows no face (FER+'s "not a face" votes; or, if asked for, OpenCV's Haar detector, which does not
see one face in six of FER2013's and so costs more good pictures than it finds bad ones).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from training.data.fer2013 import NOT_A_FACE, Pictures, Split
from training.files import write_table

if TYPE_CHECKING:
    from training.classifier.recipe import Recipe

MIN_CONTRAST = 2.0  # grey levels of standard deviation; FER2013 has twelve constant pictures
HAAR_ENLARGE = 3  # the detector wants faces larger than FER2013's 48 px


@dataclass(frozen=True)
class Dropped:
    """One picture that does not train the network, and why."""

    name: str
    label: int
    reason: str


def clean(
    pictures: Pictures, detect: bool = False, keep_faceless: bool = False
) -> tuple[Pictures, list[Dropped]]:
    """The training split without what spoils it; the other splits are left as published.

    Args:
        pictures: all splits.
        detect: also drop training pictures in which the Haar detector sees no face.
        keep_faceless: drop only what repeats, or stands in another split as well.

    Returns:
        All pictures that stay, and the list of those that went.
    """
    reasons = find_duplicates(pictures)
    training = pictures.splits == Split.TRAIN
    flat = pictures.pixels.reshape(len(pictures), -1).std(axis=1) < MIN_CONTRAST
    faceless = 2 * pictures.votes[:, NOT_A_FACE] > pictures.votes.sum(axis=1)
    if detect:
        faceless[training] |= ~find_faces(pictures.subset(training))
    dropped, stays = [], np.ones(len(pictures), bool)
    for index in np.flatnonzero(training):
        reason = reasons.get(int(index))
        if reason is None and flat[index] and not keep_faceless:
            reason = "shows nothing"
        if reason is None and faceless[index] and not keep_faceless:
            reason = "no face"
        if reason is not None:
            stays[index] = False
            label = int(pictures.labels[index])
            dropped.append(Dropped(str(pictures.names[index]), label, reason))
    return pictures.subset(stays), dropped


def find_duplicates(pictures: Pictures) -> dict[int, str]:
    """Training pictures with the same pixels as a held-out or an earlier training picture."""
    keys = [picture.tobytes() for picture in pictures.pixels]
    first: dict[bytes, int] = {}
    for split in (Split.TEST, Split.VALIDATION, Split.TRAIN):
        for index in np.flatnonzero(pictures.splits == split):
            first.setdefault(keys[index], int(index))
    words = {Split.TRAIN: "repeats", Split.VALIDATION: "also in validation:",
             Split.TEST: "also in test:"}  # fmt: skip
    reasons = {}
    for index in np.flatnonzero(pictures.splits == Split.TRAIN):
        earlier = first[keys[index]]
        if earlier != index:
            split = Split(int(pictures.splits[earlier]))
            reasons[int(index)] = f"{words[split]} {pictures.names[earlier]}"
    return reasons


def find_faces(pictures: Pictures) -> npt.NDArray[np.bool_]:
    """(n,) True where the detector sees a face; about 20 ms a picture."""
    cascade = cv2.CascadeClassifier(
        cv2.data.haarcascades + "haarcascade_frontalface_default.xml"  # type: ignore[attr-defined]
    )
    return np.array([sees_face(cascade, picture) for picture in pictures.pixels], bool)


def sees_face(cascade: cv2.CascadeClassifier, picture: npt.NDArray[np.uint8]) -> bool:
    """True where the detector finds a face in the enlarged picture with a border around it."""
    side = picture.shape[0] * HAAR_ENLARGE
    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
    border = side // 4
    large = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
    found = cascade.detectMultiScale(large, 1.1, 1, minSize=(side // 3, side // 3))
    return len(found) > 0


def relabel(pictures: Pictures, min_votes: int = 6) -> tuple[Pictures, list[Dropped]]:
    """Replaces FER2013's labels in the training split by the FER+ votes where they are clear.

    Args:
        pictures: with FER+ votes.
        min_votes: of ten, for one of the seven expressions.

    Returns:
        The pictures with new labels, and what was changed.
    """
    crowd = pictures.crowd()
    choice = crowd.argmax(axis=1)
    in_ten = 10 * crowd.max(axis=1) / np.maximum(pictures.votes.sum(axis=1), 10)
    sure = (in_ten >= min_votes) & (pictures.splits == Split.TRAIN)
    changed = np.flatnonzero(sure & (choice != pictures.labels))
    labels = np.where(sure, choice, pictures.labels)
    notes = [
        Dropped(str(pictures.names[i]), int(pictures.labels[i]), f"relabelled {choice[i]}")
        for i in changed
    ]
    new = Pictures(pictures.pixels, labels, pictures.splits, pictures.votes, pictures.names)
    return new, notes


def summary(dropped: list[Dropped]) -> dict[str, int]:
    """How many pictures went for each kind of reason."""
    counts: dict[str, int] = {}
    for entry in dropped:
        kind = entry.reason.split(" row ")[0].split(":")[0]
        kind = "relabelled" if kind.startswith("relabelled") else kind
        kind = "repeats" if kind.startswith("repeats") else kind
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def write_list(dropped: list[Dropped], path: Path) -> None:
    """Writes every dropped or relabelled picture to a CSV file."""
    rows = ((entry.name, entry.label, entry.reason) for entry in dropped)
    write_table(path, ("picture", "fer2013_label", "reason"), rows)


def lend_validation(pictures: Pictures, share: float) -> Pictures:
    """Moves a share of the validation split to the training split, always the same pictures.

    Once everything about a training has been chosen by validation, its pictures can be learnt
    like others, which is a ninth more of them; what stays fits temperature and prior.
    """
    if not share:
        return pictures
    validation = np.flatnonzero(pictures.splits == Split.VALIDATION)
    order = np.random.default_rng(0).permutation(len(validation))
    splits = pictures.splits.copy()
    splits[validation[order[: round(share * len(validation))]]] = Split.TRAIN
    return replace(pictures, splits=splits)


def clean_as(pictures: Pictures, recipe: Recipe) -> tuple[Pictures, list[Dropped]]:
    """Makes and cleans the training split as a recipe says."""
    pictures = lend_validation(pictures, recipe.learn_validation)
    dropped: list[Dropped] = []
    if recipe.clean:
        pictures, dropped = clean(pictures, recipe.detect, recipe.keep_faceless)
    if recipe.relabel:
        pictures, changed = relabel(pictures)
        dropped += changed
    return pictures, dropped
