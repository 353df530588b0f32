"""The JSON card beside each ``.tflite``: what the file is, what it takes, how good it is.

``export`` writes cards, ``device`` refuses a file that does not fit its card.
"""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.errors import ModelError
from device.files import read_file
from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS

CARD_SCHEMA = 1
MAX_MODEL_BYTES = 32 << 20
MAX_CARD_BYTES = 1 << 20
MAX_TEXT = 200  # characters
MAX_GOLDEN = 64  # vectors
MAX_SHIFT = 6  # of logits: a class that is 400 times rarer than another
SHOW = reprlib.Repr()
SHOW.maxlist = 8
TASKS = ("classify", "synthesize", "landmarks", "detect", "check")
LABELS = [expression.value for expression in EXPRESSIONS]


@dataclass(frozen=True)
class ModelCard:
    """What a card says.

    Attributes:
        name: ``expression``, ``expression-tiny``, ``generator``, ...
        version: of the weights; changes with every export.
        task: one of ``TASKS``; ``detect`` is the HOG detector, which the device reads without its card.
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


def _is_number(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_shift(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(LABELS)
        and all(_is_number(v, -MAX_SHIFT, MAX_SHIFT) for v in value)
    )


# What each field may be, and how that is said.
LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a text"),
    "version": (_is_text, "a text"),
    "task": (lambda value: value in TASKS, ", ".join(TASKS)),
    "sha256": (
        lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)),
        "64 hexadecimal digits",
    ),
    "labels": (lambda value: value == LABELS, f"{LABELS} in this order"),
    "temperature": (lambda value: _is_number(value, 0.05, 20), "a number from 0.05 to 20"),
    "prior_shift": (_is_shift, f"{len(LABELS)} numbers from {-MAX_SHIFT} to {MAX_SHIFT}"),
    "golden": (
        lambda value: isinstance(value, list) and len(value) <= MAX_GOLDEN,
        f"a list of at most {MAX_GOLDEN} vectors",
    ),
}
OPTIONAL = ("temperature", "prior_shift", "golden")
KNOWN = ("schema", "input", *LIMITS)


def read_card(path: Path) -> ModelCard:
    """Reads a card.

    Raises:
        ModelError: missing, not JSON, of another schema, with other labels or a value out of range.
    """
    try:
        body = json.loads(read_file(path, MAX_CARD_BYTES), parse_constant=_refuse_constant)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model card: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: the model card is not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("schema") != CARD_SCHEMA:
        raise ModelError(f"{path}: not a model card of schema {CARD_SCHEMA}")
    for name, (is_right, allowed) in LIMITS.items():
        if name not in body and name in OPTIONAL:
            continue
        if not is_right(body.get(name)):
            shown = SHOW.repr(body[name]) if name in body else "missing"
            raise ModelError(f"{path}: model card: {name} = {shown}: allowed: {allowed}")
    fields = {name: body[name] for name in LIMITS if name in body}
    return ModelCard(**fields, facts={k: v for k, v in body.items() if k not in KNOWN})


def read_model(path: Path) -> tuple[bytes, ModelCard]:
    """Reads a ``.tflite`` and the ``.json`` beside it.

    Returns:
        The model's bytes and its card.

    Raises:
        ModelError: missing, too large, truncated, or not the file that the card describes.
    """
    try:
        content = read_file(path, MAX_MODEL_BYTES)
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


def require_task(path: Path, card: ModelCard, task: str) -> None:
    """Refuses a model that is for something else.

    Raises:
        ModelError: so it is.
    """
    if card.task != task:
        raise ModelError(f"{path}: its card says it can {card.task!r}, not {task!r}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
