"""Which faces a generator learns from, and how they are dealt out.

Only faces on which the FER+ votes agree: a face that half of the people call sad and half
neutral teaches the generator neither. The guide learns from all of them, with the votes as they
are. Whoever calls cuts them as the device does, by their landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import CROP_PX, Matrix
from device.vision.stage import SHIPPED, LandmarkModel
from device.vision.synthesizer import cut_face, face_view
from device.vocabulary import EXPRESSIONS, BoundingBox, Face
from training.data.fer2013 import Pictures

MIN_SHARE = 0.6  # of the FER+ votes
MIN_FACES = 300  # a class with fewer clear faces is topped up
EVENNESS = 0.25  # 1: expressions as common as they are, 0: all equally common
HIDDEN = Path(__file__).with_name("hidden.txt")

Pixels = npt.NDArray[np.uint8]  # (N, 48, 48, 1)
Classes = npt.NDArray[np.int32]  # (N,)


@dataclass(frozen=True)
class Faces:
    """Faces (N, 48, 48, 1) uint8 and the expressions (N,) that they show."""

    pixels: Pixels
    expressions: Classes


@dataclass(frozen=True)
class VotedFaces:
    """Faces (N, 48, 48, 1) uint8 and the FER+ votes (N, 7) float32 as shares."""

    pixels: Pixels
    shares: npt.NDArray[np.float32]


def voted_faces_of(pictures: Pictures) -> VotedFaces:
    """The pictures in which anybody saw one of the seven expressions, clear or not.

    Where nobody voted at all, FER2013's labels are the votes.
    """
    if not pictures.has_votes:
        shares = np.eye(len(EXPRESSIONS), dtype=np.float32)[pictures.labels]
        return VotedFaces(pictures.pixels[..., None], shares)
    seen = np.flatnonzero(pictures.crowd().sum(axis=1) > 0)
    votes = pictures.crowd()[seen].astype(np.float32)
    return VotedFaces(pictures.pixels[seen][..., None], votes / votes.sum(axis=1, keepdims=True))


def clear_faces_of(
    pictures: Pictures, min_share: float = MIN_SHARE, min_faces: int = MIN_FACES
) -> Faces:
    """The pictures of one split whose expression is clear; all by their labels without votes."""
    if not pictures.has_votes:
        return Faces(pictures.pixels[..., None], pictures.labels.astype(np.int32))
    total = np.maximum(pictures.votes.sum(axis=1, keepdims=True), 1)
    shares = pictures.crowd() / total
    positions, expressions = find_clear(pictures.labels, shares, min_share, min_faces)
    return Faces(pictures.pixels[positions][..., None], expressions)


def require_clear(training: Pictures, validation: Pictures) -> None:
    """Refuses pictures that a generator cannot learn all seven expressions from.

    Args:
        training: pictures of the training split.
        validation: those of the validation split; the sample sheets show some of them.

    Raises:
        UsageError: an expression has no clear face, or validation has none at all.
    """
    shown = clear_faces_of(training).expressions
    missing = [e.value for number, e in enumerate(EXPRESSIONS) if number not in shown]
    if missing:
        raise UsageError(
            f"no clear face of the training split shows {', '.join(missing)}: a generator needs "
            "faces of all seven expressions"
        )
    if not len(clear_faces_of(validation).expressions):
        raise UsageError("no face of the validation split shows a clear expression")


def without_hidden(pictures: Pictures) -> Pictures:
    """The pictures but those listed in ``hidden.txt``: frightened people who hide their faces."""
    lines = HIDDEN.read_text(encoding="ascii").splitlines()
    hidden = {mark for line in lines if not line.startswith("#") for mark in line.split()}
    marks = [blake2b(picture.tobytes(), digest_size=6).hexdigest() for picture in pictures.pixels]
    return pictures.subset(np.array([mark not in hidden for mark in marks], bool))


def cut_by_landmarks(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """FER2013's pictures (N, 48, 48) as the device would cut their faces, (N, 48, 48)."""
    views = views_of(pixels)
    crops = [cut_face(picture, view) for picture, view in zip(pixels, views, strict=True)]
    return np.stack(crops) if crops else pixels


def views_of(pixels: npt.NDArray[np.uint8]) -> list[Matrix]:
    """From each of FER2013's pictures (N, 48, 48) to the crop that the generator works on.

    Raises:
        ModelError: the landmark model is not there.
    """
    model = LandmarkModel.load(SHIPPED)
    whole = Face(BoundingBox(0, 0, CROP_PX, CROP_PX), score=1.0)
    views = []
    for picture in pixels:
        [face] = model.place(picture, [whole])
        assert face.landmarks is not None
        views.append(face_view(face.landmarks))
    return views


def find_clear(
    labels: npt.NDArray[np.integer],
    shares: npt.NDArray[np.floating],
    min_share: float,
    min_faces: int,
) -> tuple[npt.NDArray[np.int64], Classes]:
    """Positions, ascending, of the faces whose expression is clear, and what each one shows.

    A class with fewer than ``min_faces`` of them (disgust, which the FER+ votes saw in 46 where FER2013
    says 436) is topped up with faces that FER2013 labels so, by falling share of the votes.

    Args:
        labels: (N,) FER2013's classes.
        shares: (N, 7) share of the FER+ votes for each expression, 0 to 1.
        min_share: share from which a face is clear.
        min_faces: number of faces below which a class is topped up.
    """
    leading = shares.argmax(axis=1)
    chosen: dict[int, int] = {}
    for expression in range(len(EXPRESSIONS)):
        clear = np.flatnonzero((leading == expression) & (shares[:, expression] >= min_share))
        chosen.update(dict.fromkeys(clear.tolist(), expression))
    counts = np.bincount(list(chosen.values()), minlength=len(EXPRESSIONS))
    for expression in np.flatnonzero(counts < min_faces).tolist():
        own = shares[:, expression]
        likely = np.flatnonzero((labels == expression) & (own > 0))
        likely = likely[np.argsort(-own[likely], kind="stable")]
        free = [int(i) for i in likely if int(i) not in chosen]
        chosen.update(dict.fromkeys(free[: min_faces - counts[expression]], expression))
    positions = np.array(sorted(chosen), np.int64)
    return positions, np.array([chosen[i] for i in positions.tolist()], np.int32)


class RandomFaces(keras.utils.PyDataset):
    """Batches of faces and the shares of their votes, rare expressions more often than they are shown.

    The share that an expression has of the faces counts to the power of ``EVENNESS``: a hundredth
    becomes a twelfth.
    """

    def __init__(self, faces: VotedFaces, batch_size: int, num_steps: int, seed: int) -> None:
        super().__init__()
        self.faces, self.batch_size = faces, batch_size
        self.num_steps, self.seed = num_steps, seed
        leading = faces.shares.argmax(axis=1)
        common = np.bincount(leading, minlength=len(EXPRESSIONS)) / len(leading)
        chances = common[leading] ** (EVENNESS - 1)
        self.chances = chances / chances.sum()

    def __len__(self) -> int:
        """Number of batches."""
        return self.num_steps

    def __getitem__(self, index: int) -> tuple[Pixels, npt.NDArray[np.float32]]:
        """Faces (B, 48, 48, 1) uint8 and shares (B, 7)."""
        chance = np.random.default_rng([self.seed, index])
        chosen = chance.choice(len(self.faces.pixels), self.batch_size, p=self.chances)
        return self.faces.pixels[chosen], self.faces.shares[chosen]


class BalancedFaces(keras.utils.PyDataset):
    """Batches with every expression equally often, as source and as target.

    Batch ``n`` of a training is always the same, whenever and however often it was interrupted.
    """

    def __init__(
        self,
        faces: Faces,
        batch_size: int,
        first_step: int,
        num_steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.faces = faces.pixels
        self.batch_size, self.seed = batch_size, seed
        self.first_step, self.num_steps = first_step, num_steps
        self.by_class = [np.flatnonzero(faces.expressions == k) for k in range(len(EXPRESSIONS))]
        empty = [EXPRESSIONS[k].value for k, own in enumerate(self.by_class) if not own.size]
        if empty:
            raise ValueError(f"no face shows {', '.join(empty)}")

    def __len__(self) -> int:
        """Number of batches."""
        return self.num_steps

    def __getitem__(self, index: int) -> tuple[Pixels, Classes, Classes]:
        """Faces (B, 48, 48, 1) uint8, what they show (B,) and what they shall show (B,)."""
        chance = np.random.default_rng([self.seed, self.first_step + index])
        sources = self._deal(chance)
        targets = self._deal(chance)
        positions = [chance.choice(self.by_class[k]) for k in sources]
        return self.faces[positions], sources, targets

    def _deal(self, chance: np.random.Generator) -> Classes:
        """As many of each class as the batch allows, shuffled."""
        rounds = -(-self.batch_size // len(EXPRESSIONS))
        deck = np.concatenate([chance.permutation(len(EXPRESSIONS)) for _ in range(rounds)])
        return chance.permutation(deck[: self.batch_size]).astype(np.int32)
