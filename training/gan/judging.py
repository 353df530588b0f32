"""What a judge makes of translated faces: a classifier that had no part in their training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.synthesizer import OPEN_MOUTHS
from device.vocabulary import EXPRESSIONS
from training.classifier.metrics import fit_temperature
from training.classifier.networks import HEADS
from training.classifier.recipe import prior_of
from training.classifier.trained import load_network, load_pair, predict
from training.data.fer2013 import Pictures
from training.gan import measures
from training.gan.sheets import translate

Ask = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Judge:
    """A trained classifier.

    Attributes:
        name: of its run or pair.
        version: of a pair's card, "" for a run.
        head: one of ``HEADS``, by whose labels it goes.
        logits: (n, 48, 48) uint8 pixels to (n, 7) float32.
        features: (n, 48, 48) uint8 pixels to (n, D) float32, what the head is computed from.
        temperature: that makes its probabilities calibrated on real faces.
        prior: (7,) how common it thinks each expression is.
    """

    name: str
    version: str
    head: str
    logits: Ask
    features: Ask
    temperature: float
    prior: npt.NDArray[np.float64]

    def unprejudiced(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(n, 7) logits as if all expressions were equally common, by Bayes' rule.

        Targets are; faces are not, and a judge names little of real disgust as it was trained.
        """
        calibrated = np.asarray(logits, np.float64) / self.temperature
        return calibrated - np.log(np.maximum(self.prior, 1e-4))


def load_judge(path: Path, head: str, train: Pictures, validation: Pictures) -> Judge:
    """A classifier as it ships, or the averaged network of a classifier's run.

    Args:
        path: a pair (``NAME.tflite`` with card) or a run directory.
        head: one of ``HEADS``.
        train: pictures that say how common each expression was in its training.
        validation: real faces, labelled as the head learned to, that say how sure it may be.

    Raises:
        UsageError: neither there, or a pair with the other head.
    """
    if head not in HEADS:
        raise ValueError(f"{head!r}: heads are {', '.join(HEADS)}")
    logits, features, version = ask_judge(path, head)
    temperature = fit_temperature(logits(validation.pixels), validation.labels)
    name = path.stem if path.suffix == ".tflite" else path.name
    return Judge(name, version, head, logits, features, temperature, prior_of(train, head))


def ask_judge(path: Path, head: str) -> tuple[Ask, Ask, str]:
    """Logits and features of a pair or a run, and its version.

    Raises:
        UsageError: neither there, or a pair with the other head.
    """
    if path.suffix == ".tflite":
        return ask_pair(path, head)
    return *ask_run(path, head), ""


def ask_pair(path: Path, head: str) -> tuple[Ask, Ask, str]:
    """Logits and features of a pair of ours, and its version."""
    network, card = load_pair(path, "judge")
    if card.facts["head"] != head:
        raise UsageError(f"{path}: has the head {card.facts['head']}, not {head}")
    return network.logits, network.features, card.version


def ask_run(run: Path, head: str) -> tuple[Ask, Ask]:
    """Logits and features of a run's averaged network."""
    network = load_network(run)
    inner = keras.Model(network.input, network.get_layer(head).input)

    def logits(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.asarray(predict(network, pixels)[head], np.float32)

    def features(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        parts = [
            inner.predict_on_batch(pixels[at : at + 256, ..., None].astype(np.float32))
            for at in range(0, len(pixels), 256)
        ]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])

    return logits, features


def judge_generator(
    generator: keras.Model, pictures: Pictures, judge: Judge, seed: int
) -> dict[str, Any]:
    """All measures of one generator.

    Args:
        generator: float32.
        pictures: the split's faces.
        judge: names the results and gives the features.
        seed: deals targets, strangers and halves.

    Returns:
        Named numbers, as written to the run's ``evaluation-*.json``.
    """
    chance = np.random.default_rng(seed)
    pixels = pictures.pixels
    count, kinds = len(pixels), len(EXPRESSIONS)
    targets = np.tile(np.arange(kinds), count)
    sources = np.repeat(pixels, kinds, axis=0)
    made = translate(generator, sources[..., None], targets)[..., 0]
    logits = judge.logits(made)
    back = translate(generator, made[..., None], np.repeat(pictures.labels, kinds))[..., 0]
    own, stranger, nearer = measures.identity_margin(pixels, made, chance, kinds)
    return {
        "n_faces": count,
        "judge": judge.name,
        "judge_version": judge.version,
        "head": judge.head,
        **opinions(judge, logits, targets),
        "reconstruction_l1": round(measures.mean_absolute_error(sources, back), 4),
        "reconstruction_ssim": round(
            float(measures.structural_similarity(sources, back).mean()), 4
        ),
        "identity_ssim": round(own, 4),
        "stranger_ssim": round(stranger, 4),
        "nearer_than_stranger": round(nearer, 4),
        "diversity": round(measures.diversity(made, chance), 4),
        "diversity_of_real": round(measures.diversity(pixels, chance), 4),
        "smiles": opened_smiles(generator, pictures, judge),
        **distribution(generator, pictures, judge, chance),
    }


def opened_smiles(generator: keras.Model, pictures: Pictures, judge: Judge) -> dict[str, Any]:
    """How many happy faces the judge names as asked, at once and by way of neutral.

    The device goes that way where a mouth shall open.
    """
    names = [e.value for e in EXPRESSIONS]
    smiles = pictures.pixels[pictures.labels == names.index("happy"), ..., None]
    if not len(smiles):
        return {"n": 0}
    neutral = translate(generator, smiles, np.full(len(smiles), names.index("neutral")))
    found: dict[str, Any] = {"n": len(smiles)}
    for opened in OPEN_MOUTHS:
        target = names.index(opened.value)
        for way, faces in (("at_once", smiles), ("by_neutral", neutral)):
            made = translate(generator, faces, np.full(len(faces), target))[..., 0]
            right = judge.logits(made).argmax(axis=1) == target
            found[f"{opened.value}_{way}"] = round(float(right.mean()), 4)
    return found


def distribution(
    generator: keras.Model, pictures: Pictures, judge: Judge, chance: np.random.Generator
) -> dict[str, Any]:
    """FID and KID between one half of the faces, translated, and the other half as it is.

    The translated half is asked for the expressions of the other half, so that both show as
    many happy faces. The distance of the two real halves is the floor.
    """
    order = chance.permutation(len(pictures))
    half = len(order) // 2
    moved, kept = pictures.subset(order[:half]), pictures.subset(order[half : 2 * half])
    fakes = translate(generator, moved.pixels[..., None], kept.labels)[..., 0]
    real, before, fake = (judge.features(p) for p in (kept.pixels, moved.pixels, fakes))
    kid, spread = measures.kernel_distance(real, fake, chance)
    return {
        "distribution_n": half,
        "feature_length": int(real.shape[1]),
        "fid": round(measures.frechet_distance(real, fake), 3),
        "fid_of_real": round(measures.frechet_distance(real, before), 3),
        "kid": round(kid, 5),
        "kid_spread": round(spread, 5),
        "kid_of_real": round(measures.kernel_distance(real, before, chance)[0], 5),
    }


def accuracy_on_real(pictures: Pictures, judge: Judge) -> dict[str, Any]:
    """The judge's opinions of the faces as they are: what a perfect generator could reach."""
    return opinions(judge, judge.logits(pictures.pixels), pictures.labels)


def opinions(
    judge: Judge, logits: npt.NDArray[np.float32], labels: npt.NDArray[np.integer]
) -> dict[str, Any]:
    """Share of faces named as labelled, of all and of each label, as trained and unprejudiced."""
    found: dict[str, Any] = {}
    for name, values in (("", logits), ("_unprejudiced", judge.unprejudiced(logits))):
        right = values.argmax(axis=1) == labels
        found[f"judge_accuracy{name}"] = round(float(right.mean()), 4)
        found[f"judge_accuracy{name}_of"] = {
            e.value: round(float(right[labels == k].mean()), 4)
            for k, e in enumerate(EXPRESSIONS)
            if (labels == k).any()
        }
    return found
