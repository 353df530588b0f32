"""Everything that is compared, behind one face: crops in, seven numbers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.model_card import ModelCard, read_model
from training.classifier.hog_svm import HogSvm
from training.classifier.metrics import (
    Logits,
    fit_temperature,
    protocols_for,
    scores,
    truth_of,
)
from training.classifier.robustness import CONDITIONS
from training.data.fer2013 import Pictures
from training.files import reason
from training.reports.out_of_domain import OutOfDomainFaces
from training.reports.tflite import TfliteClassifier

Pixels = npt.NDArray[np.uint8]  # (n, 48, 48)


@dataclass(frozen=True)
class Candidate:
    """A network or baseline.

    Attributes:
        name: as the tables call it.
        logits: (n, 48, 48) uint8 to (n, 7) float32.
        latency_ms: measures one face on one thread.
        bytes: of the file.
        card: ours have one.
        path: of our file.
        parameters: where known.
        mmacs: million multiply-accumulates a face, where known.
    """

    name: str
    logits: Callable[[Pixels], Logits]
    latency_ms: Callable[[], float]
    bytes: int
    card: ModelCard | None = None
    parameters: int | None = None
    mmacs: float | None = None
    path: Path | None = None


def of_pair(path: Path) -> Candidate:
    """One of our pairs; its logits are divided by its card's temperature."""
    content, card = read_model(path)
    network = TfliteClassifier(content)
    temperature = np.float32(card.temperature)
    return Candidate(
        f"{card.name} ({card.facts['head']} head)",
        lambda pixels: network.logits(pixels) / temperature,
        network.latency_ms,
        len(content),
        card,
        card.facts.get("parameters"),
        card.facts.get("mmacs"),
        path,
    )


def ours(path: Path, validation: Pictures) -> Candidate:
    """One of our pairs, or of our runs."""
    return of_pair(path) if path.suffix == ".tflite" else of_run(path, validation)


def of_run(run: Path, validation: Pictures) -> Candidate:
    """A run's FER2013 head as a float model: networks that are compared, but do not ship.

    Args:
        run: directory of ``training classifier``.
        validation: pictures that fit its temperature.
    """
    from training.classifier.networks import count_macs
    from training.classifier.trained import load_network, one_head

    model = load_network(run)
    content = float_tflite(one_head(model, "fer2013"))
    network = TfliteClassifier(content)
    temperature = np.float32(fit_temperature(network.logits(validation.pixels), validation.labels))
    return Candidate(
        f"{model.name} (fer2013 head, float)",
        lambda pixels: network.logits(pixels) / temperature,
        network.latency_ms,
        len(content),
        None,
        int(one_head(model, "fer2013").count_params()),
        round(count_macs(model) / 1e6, 1),
    )


def published(path: Path) -> Candidate:
    """A published network of face_classification's family: ``.tflite``, or ``.hdf5`` of Keras.

    They answer with probabilities, whose logarithms serve as logits.
    """
    if path.suffix != ".tflite":
        return published_keras(path)
    content = read_bytes(path)
    network = TfliteClassifier(content, rescaled=True)
    name = f"{path.parent.parent.name}: {path.stem}"
    return Candidate(
        name, lambda pixels: as_logits(network.logits(pixels)), network.latency_ms, len(content)
    )


def published_keras(path: Path) -> Candidate:
    """A Keras file, converted to float TFLite so that it is timed like the others."""
    import keras

    from training.classifier.networks import count_macs

    size = len(read_bytes(path))
    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path}: Keras {keras.__version__} cannot read it ({reason(error)})"
        ) from error
    content = float_tflite(model)
    network = TfliteClassifier(content, rescaled=True)
    return Candidate(
        f"{path.parent.parent.name}: {path.stem} (float)",
        lambda pixels: as_logits(network.logits(pixels)),
        network.latency_ms,
        size,
        None,
        int(model.count_params()),
        round(count_macs(model) / 1e6, 1),
    )


def float_tflite(model: Any) -> bytes:
    """A Keras network as float32 TFLite."""
    from tempfile import TemporaryDirectory

    import tensorflow as tf

    with TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def baseline(path: Path) -> Candidate:
    """The HOG + SVM run."""
    machine = HogSvm.load(path)
    return Candidate(
        "HOG + linear SVM",
        machine.logits,
        machine.latency_ms,
        path.stat().st_size,
        None,
        machine.weights.size,
    )


def as_logits(probabilities: Logits) -> Logits:
    """Logarithms, with a floor for the zeros of int8."""
    return np.log(np.maximum(probabilities, np.float32(1e-4)))


def read_bytes(path: Path) -> bytes:
    """A file's content, or a sentence why not."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the model: {error.strerror}") from error


def measure(candidate: Candidate, test: Pictures, others: list[OutOfDomainFaces]) -> dict[str, Any]:
    """Everything that the report says about one candidate, on the test split and out of domain."""
    result: dict[str, Any] = {
        "name": candidate.name,
        "bytes": candidate.bytes,
        "parameters": candidate.parameters,
        "mmacs": candidate.mmacs,
        "latency_ms": round(candidate.latency_ms(), 3),
        "protocols": {},
        "wild": {},  # out of domain; earlier reports have this key
        "robustness": {},
    }
    logits = candidate.logits(test.pixels)
    for protocol in protocols_for(test):
        truth = truth_of(test, protocol)
        result["protocols"][protocol] = scores(logits[truth.chosen], truth.labels)
    if candidate.card is not None and test.has_votes:
        truth = truth_of(test, "majority")
        shifted = logits[truth.chosen] + np.asarray(candidate.card.prior_shift, np.float32)
        result["protocols"]["majority, balanced prior"] = scores(shifted, truth.labels)
    for faces in others:
        answers = candidate.logits(faces.crops)
        result["wild"][faces.name] = scores(answers, faces.labels)
        if candidate.card is not None:
            answers = answers + np.asarray(candidate.card.prior_shift, np.float32)
            result["wild"][f"{faces.name}, balanced prior"] = scores(answers, faces.labels)
    if test.has_votes:
        truth = truth_of(test, "clean")
        agree = test.labels[truth.chosen] == truth.labels
        result["label_agreement"] = round(float(agree.mean()), 4)
    truth = truth_of(test, "majority" if test.has_votes else "fer2013")
    pixels = test.pixels[truth.chosen]
    for condition, change in CONDITIONS.items():
        right = candidate.logits(change(pixels)).argmax(axis=1) == truth.labels
        result["robustness"][condition] = round(float(right.mean()), 4)
    return result
