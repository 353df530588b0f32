from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import device
from device.errors import UsageError
from training.classifier.trained import load_view_teachers

MODELS = Path(device.__file__).parent / "models"


def test_shipped_pairs_teach_the_head_that_they_have(tmp_path: Path) -> None:
    paths = [str(MODELS / f"{name}.tflite") for name in ("expression", "expression-fer2013")]
    teachers = load_view_teachers(paths)
    answers = teachers["crowd"](np.zeros((3, 48, 48), np.uint8))
    assert set(teachers) == {"crowd", "fer2013"}
    assert answers.shape == (3, 7)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    tiny = str(MODELS / "expression-tiny.tflite")
    pixels = np.random.default_rng(1).integers(0, 256, (5, 48, 48), np.uint8)
    alone = [load_view_teachers([path])["crowd"](pixels) for path in (paths[0], tiny)]
    together = load_view_teachers([paths[0], tiny])["crowd"](pixels)
    np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2, atol=1e-6)
    with pytest.raises(UsageError, match="none of the heads"):
        load_view_teachers([str(MODELS / "landmarks.tflite")])
    with pytest.raises(UsageError, match=r"no teacher: .*absent"):
        load_view_teachers([str(tmp_path / "absent.tflite")])
