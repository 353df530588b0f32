from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from tests.training.conftest import SHARED
from training.reports.out_of_domain import read_faces


def folder_with(tmp_path: Path, text: str) -> Path:
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((100, 100), 90, np.uint8))
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\nplain.png,happy\n", "no face was found"),
        ("file,label\nplain.png,joyful\n", "joyful is not an expression"),
        ("name,label\nplain.png,happy\n", "expected the columns file and label"),
        ("file,label\nmissing.png,happy\n", "missing.png: not a readable picture"),
    ],
)
def test_what_cannot_be_measured_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_faces(folder_with(tmp_path, text))


def test_a_folder_without_labels_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"labels\.csv: cannot read the labels"):
        read_faces(tmp_path)


@pytest.mark.fer2013
def test_faces_of_jaffe_are_found_and_cut() -> None:
    if not (SHARED / "jaffe").exists():
        pytest.skip("JAFFE is not here: ../shared/data/jaffe")
    faces = read_faces(SHARED / "jaffe")
    assert len(faces.labels) + faces.missed == 213
    assert faces.missed < 10
    assert faces.crops.shape[1:] == (48, 48)
    assert np.bincount(faces.labels, minlength=7).max() == 32
