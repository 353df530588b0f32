"""A tiny model, trained on drawn patterns, for all that converts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from export import classifier, convert, face_hog, gate, generator, landmarks
from export.__main__ import main
from tests.training.conftest import (  # noqa: F401 - the fixtures serve both
    fer2013,
    fer2013_pictures,
)
from tests.training.drawn import drawn_rows, write_csv, write_votes
from tests.training.drawn_recipes import TINY
from training.classifier import fitting
from training.classifier.checkpoint import save_checkpoint
from training.data.fer2013 import read_pictures
from training.runs import write_settings


@pytest.fixture(scope="session", autouse=True)
def unhurried() -> Iterator[None]:
    """Time limits are the gate's own tests' matter (this machine may be busy), so a few runs do.

    One draw of calibration crops does as well: how the best of several is found has its own test.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "NUM_TIMED", 3)
        patch.setattr(classifier, "NUM_DRAWS", 1)
        for module in (classifier, generator, landmarks, face_hog):
            for name in ("MAX_FACE_MS", "MAX_LOOK_MS", "MAX_WINDOW_MS"):
                patch.setattr(module, name, 1e4, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def converted_once() -> Iterator[None]:
    """Exports of the same weights share one conversion, which takes longer than all the rest."""
    files: dict[str, bytes] = {}

    def once(
        model: keras.Model,
        precision: convert.Precision,
        crops: npt.NDArray[np.uint8] | None = None,
    ) -> bytes:
        layers = [type(layer).__name__ for layer in model.layers]
        digest = hashlib.sha256(repr((precision, layers)).encode())
        for array in (*model.get_weights(), *([] if crops is None else [crops])):
            digest.update(np.ascontiguousarray(array))
        key = digest.hexdigest()
        if key not in files:
            files[key] = convert.convert(model, precision, crops)
        return files[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in (classifier, generator, landmarks):
            patch.setattr(module, "convert", once)
        yield


@pytest.fixture(scope="session")
def drawn_pair(drawn_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pair of ``drawn_run``, alone in its folder; not to be changed there."""
    models = tmp_path_factory.mktemp("drawn-pair")
    assert main(["classifier", str(drawn_run), "--models", str(models), "--name", "drawn"]) == 0
    return models / "drawn.tflite"


@pytest.fixture(scope="session")
def drawn_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory whose model tells the drawn patterns apart."""
    folder = tmp_path_factory.mktemp("exported")
    rows = drawn_rows(20)
    data = write_csv(folder / "fer2013.csv", rows)
    votes = write_votes(folder / "fer2013new.csv", [label for label, _, _ in rows])
    recipe = replace(TINY, epochs=24)
    run = folder / "run"
    run.mkdir()
    facts = {"path": str(data), "votes": str(votes), "train": 112}
    write_settings(run, asdict(recipe), facts, "test")
    num_steps = recipe.epochs * 112 // recipe.batch_size

    def at_the_end(run: Path, model: keras.Model, averaged: list[Any]) -> None:
        if int(model.optimizer.iterations) == num_steps:
            save_checkpoint(run, model, averaged)

    with pytest.MonkeyPatch.context() as patch:  # a checkpoint takes as long as its epoch
        patch.setattr(fitting, "save_checkpoint", at_the_end)
        fitting.fit(run, read_pictures(data, votes), recipe, resume=False, say=lambda line: None)
    return run
