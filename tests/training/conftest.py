"""Drawn data sets, and FER2013 itself where it lies beside the project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.training.drawn import drawn_rows, write_csv, write_votes
from training.data.fer2013 import Pictures, add_votes, no_votes

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers have the cores; before TensorFlow is loaded
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

SHARED = Path(__file__).parents[3] / "shared" / "data"


@contextmanager
def eager_training() -> Iterator[None]:
    """Keras trains and predicts line by line.

    To trace a step takes as long as a dozen steps of a tiny network.
    """
    import keras

    always = property(lambda model: True, lambda model, value: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "run_eagerly", always)
        yield


@pytest.fixture(scope="module")
def untraced() -> Iterator[None]:
    """``eager_training`` for a module; traced trainings have tests of their own, with more steps."""
    with eager_training():
        yield


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(fer2013.csv, fer2013new.csv) of drawn patterns."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = drawn_rows()
    labels = [label for label, _, _ in rows]
    return write_csv(folder / "fer2013.csv", rows), write_votes(folder / "votes.csv", labels)


@pytest.fixture(scope="session")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(fer2013.csv, fer2013new.csv) as they are published; half a minute."""
    if not (SHARED / "unpack.py").exists():
        pytest.skip("FER2013 is not here: ../shared/data/unpack.py writes the two files")
    folder = tmp_path_factory.mktemp("fer2013")
    subprocess.run(
        [sys.executable, str(SHARED / "unpack.py"), str(folder)], check=True, capture_output=True
    )
    return folder / "fer2013.csv", folder / "fer2013new.csv"


@pytest.fixture(scope="session")
def fer2013_pictures() -> Pictures:
    """All of FER2013 with its votes, from the arrays that the published file is written from."""
    if not (SHARED / "fer2013.npz").exists():
        pytest.skip("FER2013 is not here: ../shared/data/fer2013.npz")
    with np.load(SHARED / "fer2013.npz") as data:
        order = np.argsort(data["row"])
        pixels, labels, splits = (data[name][order] for name in ("pixels", "label", "usage"))
    names = np.array([f"row {number}" for number in range(len(labels))])
    votes = no_votes(len(labels))
    pictures = Pictures(pixels, labels.astype(np.int64), splits.astype(np.int64), votes, names)
    return add_votes(pictures, SHARED / "fer2013new.csv")
