from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from training.data.pictures import is_held_out, read_folder, read_grey


def test_reads_grey_pictures_sorted_and_not_too_large(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((10, 20, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "below/a.jpg"), np.zeros((1000, 1800), np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    shapes = {name: picture.shape for name, picture in read_folder(tmp_path)}
    assert shapes == {"b.png": (10, 20), "a.jpg": (500, 900)}


def test_an_empty_folder_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures"):
        list(read_folder(tmp_path))
    (tmp_path / "broken.png").write_bytes(b"PNG?")
    with pytest.raises(UsageError, match=r"broken\.png"):
        read_grey(tmp_path / "broken.png")


def test_the_held_out_half_is_always_the_same_half() -> None:
    names = [f"picture-{number}.jpg" for number in range(400)]
    held_out = [name for name in names if is_held_out(name)]
    assert 150 < len(held_out) < 250
    assert held_out == [name for name in names if is_held_out(name)]
    assert not any(is_held_out(name, 0.0) for name in names)
    assert all(is_held_out(name, 1.0) for name in names)
