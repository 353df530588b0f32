"""The JSON card beside each ``.tflite``: what the file is, what it takes, how good it is.

``export`` writes cards, ``device`` refuses a file that does not fit its card.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.errors import ModelError
from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS

CARD_SCHEMA = 1
MAX_MODEL_BYTES = 32 << 20
LABELS = [expression.value for expression in EXPRESSIONS]


@dataclass(frozen=True)
class ModelCard:
    """What a card says.

    Attributes:
        name: ``expression``, ``expression-tiny``, ``generator``, ...
        version: of the weights; changes with every export.
        task: ``classify`` or ``synthesize`` or ``landmarks``.
        sha256: of the ``.tflite`` bytes.
        labels: the seven names in FER2013 order.
        temperature: logits are divided by it before softmax (fitted on validation).
        prior_shift: (7,) added to the logits for ``classifier.prior = "balanced"``.
        golden: ``[{"input": base64 of 48*48 uint8, "output": [float, ...]}]`` for the self-test.
        facts: everything else for people: run, metrics, parity, data, licence, limits.
    """

    name: str
    version: str
    task: str
    sha256: str
    labels: list[str] = field(default_factory=lambda: list(LABELS))
    temperature: float = 1.0
    prior_shift: list[float] = field(default_factory=lambda: [0.0] * len(EXPRESSIONS))
    golden: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The card as JSON text, keys in a fixed order."""
        body = {
            "schema": CARD_SCHEMA,
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "sha256": self.sha256,
            "labels": self.labels,
            "input": {"shape": [CROP_PX, CROP_PX, 1], "dtype": "uint8", "colour": "grey"},
            "temperature": self.temperature,
            "prior_shift": self.prior_shift,
            **self.facts,
            "golden": self.golden,
        }
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


KNOWN = ("schema", "name", "version", "task", "sha256", "labels", "input", "temperature",
         "prior_shift", "golden")  # fmt: skip


def read_card(path: Path) -> ModelCard:
    """Reads a card.

    Raises:
        ModelError: missing, not JSON, of another schema, or with other labels.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model card: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path}: the model card is not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("schema") != CARD_SCHEMA:
        raise ModelError(f"{path}: not a model card of schema {CARD_SCHEMA}")
    try:
        card = ModelCard(
            name=str(body["name"]),
            version=str(body["version"]),
            task=str(body["task"]),
            sha256=str(body["sha256"]),
            labels=list(body["labels"]),
            temperature=float(body.get("temperature", 1.0)),
            prior_shift=[float(v) for v in body.get("prior_shift", [0.0] * len(LABELS))],
            golden=list(body.get("golden", [])),
            facts={k: v for k, v in body.items() if k not in KNOWN},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: the model card lacks or mistypes {error}") from error
    if card.labels != LABELS:
        raise ModelError(f"{path}: labels {card.labels} are not {LABELS} in this order")
    if not 0.05 <= card.temperature <= 20 or len(card.prior_shift) != len(LABELS):
        raise ModelError(f"{path}: temperature or prior_shift out of range")
    return card


def read_model(path: Path) -> tuple[bytes, ModelCard]:
    """Reads a ``.tflite`` and the ``.json`` beside it.

    Returns:
        The model's bytes and its card.

    Raises:
        ModelError: missing, too large, truncated, or not the file that the card describes.
    """
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(f"{path}: larger than {MAX_MODEL_BYTES >> 20} MiB, not one of ours")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}") from error
    card = read_card(path.with_suffix(".json"))
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path}: not a TFLite file")
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.sha256:
        raise ModelError(
            f"{path}: sha256 {digest[:12]}… differs from its card's {card.sha256[:12]}…: "
            "truncated, or the card belongs to another file"
        )
    return content, card
