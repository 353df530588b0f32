"""README's moving picture is made of the demo, by the parts that the daemon uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pillow is not installed")

from PIL import Image

from tests.pages import moving_picture


def test_the_picture_in_the_documents_moves() -> None:
    with Image.open(moving_picture.TARGET) as picture:
        assert picture.n_frames > 10
        assert picture.size[1] == moving_picture.SIZE[1]
    assert moving_picture.TARGET.stat().st_size < 1_500_000


def test_frames_are_drawn_from_the_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(moving_picture, "FIRST_S", 0.0)
    monkeypatch.setattr(moving_picture, "LAST_S", 2.0)
    monkeypatch.setattr(moving_picture, "FRAMES", (moving_picture.screen,) * 2)  # side by side
    shown = list(moving_picture.pictures())
    width, height = moving_picture.SIZE
    assert {image.shape for image in shown} == {(height, 2 * width, 3)}
    assert np.abs(shown[0].astype(int) - shown[-1]).max() > 50
    moving_picture.write(tmp_path / "moving.png", shown)
    with Image.open(tmp_path / "moving.png") as picture:
        assert picture.n_frames == len(shown) >= 3
