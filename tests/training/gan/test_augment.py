from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from training.data.fer2013 import Split, read_pictures
from training.gan import augment as augment_with_gan
from training.gan.judging import Judge


def test_only_faces_that_convince_the_judge_are_added(
    drawn: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = read_pictures(*drawn).split(Split.TRAIN)
    made = np.arange(64 * 48 * 48, dtype=np.uint32).reshape(64, 48, 48).astype(np.uint8)
    made[:, 0, 0] = np.arange(64)
    monkeypatch.setattr(augment_with_gan, "synthesize", lambda *a: made)

    def logits(pixels: np.ndarray) -> np.ndarray:
        """Every other face is sure by 0.9, the others by 0.5, at the judge's temperature."""
        sure = np.where(pixels[:, 0, 0] % 2, 0.9, 0.5)
        values = np.repeat(np.log((1 - sure) / 6)[:, None], 7, axis=1)
        values[:, 2] = np.log(sure)
        return (values * 3.0).astype(np.float32)

    judge = Judge("wise", "1", "crowd", logits, logits, temperature=3.0, prior=np.full(7, 1 / 7))
    arguments = argparse.Namespace(min_probability=0.6)
    chance = np.random.default_rng(1)
    kept = augment_with_gan.accepted(None, judge, pictures, 2, 20, arguments, chance)
    assert len(kept) == 20
    assert (kept[:, 0, 0] % 2 == 1).all()
