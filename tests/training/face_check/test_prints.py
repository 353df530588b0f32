from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from training.face_check.prints import make_prints, read_drawing


def write_drawing(path: Path) -> Path:
    """A black disc on nothing."""
    picture = np.zeros((200, 100, 4), np.uint8)
    cv2.circle(picture, (50, 100), 40, (0, 0, 0, 255), -1)
    cv2.imwrite(str(path), picture)
    return path


def test_a_drawing_covers_only_what_it_covers(tmp_path: Path) -> None:
    drawing = read_drawing(write_drawing(tmp_path / "disc.png"))
    assert drawing is not None
    grey, cover = drawing
    assert grey.shape == cover.shape == (128, 64)
    assert cover[0, 0] == 0
    assert cover[64, 32] == 1


def test_prints_are_drawings_on_the_grounds(tmp_path: Path) -> None:
    write_drawing(tmp_path / "disc.png")
    grounds = np.full((2, 80, 80), 200, np.uint8)
    prints = make_prints(tmp_path, grounds, 5, np.random.default_rng(0))
    assert prints.shape == (5, 80, 80)
    for one in prints:
        assert (one == 200).mean() > 0.3
        assert (one != 200).mean() > 0.01
    assert len({one.tobytes() for one in prints}) == 5


def test_what_is_no_drawing_is_left_out_and_a_folder_without_any_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "tiny.png"), np.zeros((8, 8), np.uint8))
    assert read_drawing(tmp_path / "tiny.png") is None
    with pytest.raises(UsageError, match="no drawings here"):
        make_prints(tmp_path, np.zeros((1, 80, 80), np.uint8), 1, np.random.default_rng(0))
