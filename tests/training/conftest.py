"""Drawn data sets, and FER2013 itself where it lies beside the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.drawn import drawn_rows, write_csv, write_votes
from training.data.fer2013 import Pictures, read_pictures

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(fer2013.csv, fer2013new.csv) of drawn patterns."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = drawn_rows()
    labels = [label for label, _, _ in rows]
    return write_csv(folder / "fer2013.csv", rows), write_votes(folder / "votes.csv", labels)


@pytest.fixture(scope="session")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(fer2013.csv, fer2013new.csv), unpacked once."""
    if not (SHARED / "unpack.py").exists():
        pytest.skip("FER2013 is not here: ../shared/data/unpack.py writes the two files")
    folder = tmp_path_factory.mktemp("fer2013")
    subprocess.run(
        [sys.executable, str(SHARED / "unpack.py"), str(folder)], check=True, capture_output=True
    )
    return folder / "fer2013.csv", folder / "fer2013new.csv"


@pytest.fixture(scope="session")
def fer2013_pictures(fer2013: tuple[Path, Path]) -> Pictures:
    """All of it, read once."""
    return read_pictures(*fer2013)
