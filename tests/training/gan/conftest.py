"""What the tests of generators share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import eager_training
from training.gan import fitting
from training.gan.faces import VotedFaces
from training.gan.recipe import GanRecipe


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guide's weights after one step, which is not traced: ``test_evaluate`` has that."""
    path = tmp_path_factory.mktemp("guide") / "guide.weights.h5"
    pixels = np.random.default_rng(8).integers(0, 256, (7, 48, 48, 1), dtype=np.uint8)
    recipe = GanRecipe(batch_size=7, guide_steps=1, precision="float32")
    with eager_training():
        fitting.train_guide(VotedFaces(pixels, np.eye(7, dtype=np.float32)), recipe, path)
    return path
