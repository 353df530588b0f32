"""How a classifier is trained: the settings with their reasons, and what its heads shall answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from training.classifier.networks import HEADS
from training.data.augmentation import Augmentation
from training.data.fer2013 import NUM_CLASSES, Pictures

BALANCES = ("none", "weights", "oversampling")
Targets = dict[str, npt.NDArray[np.float32]]  # (n, 7) for each head


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides the data.

    Attributes:
        network: a key of ``networks.NETWORKS``.
        epochs: passes over the training pictures; the learning rate's cosine ends with them.
        batch_size: pictures a step, over all replicas.
        learning_rate: of SGD with Nesterov momentum, at its peak.
        warmup_epochs: in which it rises from nothing.
        weight_decay: decoupled, on kernels only.
        label_smoothing: on FER2013's labels, of which a third contradict the FER+ votes.
        informed_share: of FER2013's labels, how much is replaced by what the votes and the
            teacher say of them; see ``informed_labels``.
        average_decay: of the moving average of the weights, an update every
            ``average_every`` steps; about two epochs deep, which is worth a point.
        clean: drop duplicates, faceless and blank pictures from the training split.
        keep_faceless: of these, keep the faceless and the blank ones.
        detect: also drop those in which OpenCV's detector sees no face.
        relabel: replace FER2013's labels by the FER+ votes where at least six of ten agree.
        seed: of weights, order and augmentation.
        start_from: pair whose weights the training begins with, "" for random ones.
        precision: Keras' policy; bfloat16 halves the time on CPUs and GPUs that have it.
        teacher: run directory whose averaged network's answers are learnt, "" for none.
        teacher_share: of its answers in the FER+ head's targets; the rest stays the votes.
        view_teachers: teachers of the online distillation, pairs (``NAME.tflite`` with card): each
            answers about every varied picture, for the head it has; several for one head together.
        view_share: of their answers in that head's targets.
        posed_pairs: posed faces in each batch, and the same faces at rest, beside
            ``batch_size`` others (see ``posed_pairs``); 0 mixes them among the others.
        difference_weight: of the loss on how a posed face differs from the same face at rest.
        keep_statistics: batch normalization keeps the statistics, scale and offset that
            ``start_from`` gives it; what is added in a few hundred steps then changes less of
            what was learned before.
        crowd_weight: of the FER+ head's loss; that of the FER2013 head counts 1.
        p_mixup: share of pictures that are laid over another of their batch (MixUp; Zhang et al.,
            ICLR 2018). What a teacher says of such a picture it has not learnt by heart.
        learn_validation: share of the validation split that is learnt as well, once the recipe is
            chosen; the rest of it still validates. See ``cleaning.lend_validation``.
        balance: of the classes by FER2013's labels, one of ``BALANCES``: ``weights`` lets a rare
            class count more in the loss, ``oversampling`` shows its pictures more often.
        normalizes: the network sees pixels from -1 to 1, not from 0 to 255.
    """

    network: str = "expression"
    epochs: int = 85
    batch_size: int = 128
    learning_rate: float = 0.1
    warmup_epochs: float = 1.5
    momentum: float = 0.9
    weight_decay: float = 0.003
    label_smoothing: float = 0.1
    informed_share: float = 0.0
    average_decay: float = 0.96
    average_every: int = 16
    clean: bool = True
    keep_faceless: bool = False
    detect: bool = False
    relabel: bool = False
    seed: int = 20261123
    precision: str = "mixed_bfloat16"
    start_from: str = ""
    teacher: str = ""
    teacher_share: float = 0.6
    view_teachers: tuple[str, ...] = ()
    view_share: float = 0.6
    posed_pairs: int = 0
    difference_weight: float = 1.5
    keep_statistics: bool = False
    crowd_weight: float = 1.0
    p_mixup: float = 0.0
    learn_validation: float = 0.0
    balance: str = "none"
    normalizes: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)


def recipe_for(network: str) -> Recipe:
    """The recipe that a network is shipped or compared with.

    Small ones cannot learn that much variation, take more of a teacher's opinion, and lose more
    to bfloat16's conversions than they gain.
    """
    if network == "expression":
        return Recipe()
    if network == "expression-light":
        return Recipe(network=network, epochs=65)
    mild = Augmentation(
        rotation_deg=6.0, scale=0.06, shift_px=1.5, brightness=15.0, contrast=0.15,
        p_low_resolution=0.05, p_blur=0.1, p_noise=0.1, p_erasing=0.0,
    )  # fmt: skip
    precision = "mixed_bfloat16" if network == "paper" else "float32"
    return Recipe(network=network, epochs=70, weight_decay=0.001, teacher_share=0.8,
                  precision=precision, augmentation=mild)  # fmt: skip


def fer2013_targets(pictures: Pictures, smoothing: float) -> npt.NDArray[np.float32]:
    """(n, 7) FER2013's own labels, smoothed."""
    one_hot = np.eye(NUM_CLASSES, dtype=np.float32)[pictures.labels]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / NUM_CLASSES)


def crowd_targets(pictures: Pictures, smoothing: float) -> npt.NDArray[np.float32]:
    """(n, 7) shares of the FER+ votes.

    Single votes among ten are taken as slips, as FER+'s authors do (Barsoum et al., 2016).
    Where nobody voted for one of the seven, FER2013's label has to serve.
    """
    votes = pictures.crowd().astype(np.float32)
    steady = np.where(votes > 1, votes, 0)
    votes = np.where(steady.sum(axis=1, keepdims=True) > 0, steady, votes)
    total = votes.sum(axis=1, keepdims=True)
    shares = votes / np.maximum(total, 1)
    return np.where(total > 0, shares, fer2013_targets(pictures, smoothing)).astype(np.float32)


def informed_labels(pictures: Pictures, answers: Targets | None = None) -> npt.NDArray[np.float32]:
    """(n, 7) how likely each of FER2013's labels is, given the votes and a teacher's answers.

    FER2013's labels come from search words and are wrong for every third picture; ten people's
    votes predict two thirds of them. What is predictable of a label is what a network can learn of
    it; the rest is noise (privileged information, Lopez-Paz et al., 2016). A logistic regression,
    fitted to the pictures that are given, which must be training pictures. The votes alone know
    less of a label than its picture does, so it is meant for use with a teacher.
    """
    from sklearn.linear_model import LogisticRegression

    shares = pictures.votes / np.maximum(pictures.votes.sum(axis=1, keepdims=True), 1)
    known = [shares, np.sqrt(shares)]
    if answers is not None:
        known += [np.log(np.maximum(answers[head], 1e-4)) for head in HEADS]
    features = np.concatenate(known, axis=1)
    fitted = LogisticRegression(max_iter=500).fit(features, pictures.labels)
    result = np.zeros((len(pictures), NUM_CLASSES), np.float32)
    result[:, fitted.classes_] = fitted.predict_proba(features)
    return result


def targets_of(pictures: Pictures, recipe: Recipe, answers: Targets | None = None) -> Targets:
    """What each head shall answer, from the labels, the votes and a teacher's probabilities.

    The FER+ head takes a teacher's answers as they are (Hinton et al., 2015, at temperature
    1), FER2013's what they and the votes together say of its labels.
    """
    labels = fer2013_targets(pictures, recipe.label_smoothing)
    crowd = crowd_targets(pictures, recipe.label_smoothing)
    if recipe.informed_share and (pictures.has_votes or answers is not None):
        informed = informed_labels(pictures, answers)
        labels = (1 - recipe.informed_share) * labels + recipe.informed_share * informed
    if answers is not None:
        crowd = (1 - recipe.teacher_share) * crowd + recipe.teacher_share * answers["crowd"]
    return {"fer2013": labels, "crowd": crowd}


def prior_of(train: Pictures, head: str) -> npt.NDArray[np.float64]:
    """(7,) share of each expression in what the head was trained on."""
    targets = crowd_targets(train, 0) if head == "crowd" else fer2013_targets(train, 0)
    return np.asarray(targets.mean(axis=0), np.float64)
