"""What is left of a model that could not be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from device.vision import model_folder
from device.vision.model_card import read_model
from device.vision.model_folder import put_model, version_folder
from device.vision.trial import PASSED
from tests.device.vision.mutated import TINY

CONTENT, CARD = read_model(TINY)
FILES = {".tflite": CONTENT, ".json": CARD.to_json().encode(), PASSED: b"mark"}


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A disk that is full from the second file on."""
    written = 0
    write_through = model_folder.write_through

    def fill(path: Path) -> None:
        nonlocal written
        written += 1
        if written >= 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_through(path)

    monkeypatch.setattr(model_folder, "write_through", fill)
    return monkeypatch


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_full_disk_gets_all_of_its_room_back(tmp_path: Path, full: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left"):
        put_model(tmp_path, CARD, FILES)
    assert files_in(tmp_path) == []
    full.undo()
    put_model(tmp_path, CARD, FILES)
    assert (tmp_path / CARD.name / "current" / TINY.name).read_bytes() == CONTENT


def test_what_lay_there_before_stays(tmp_path: Path, full: pytest.MonkeyPatch) -> None:
    place = tmp_path / CARD.name / version_folder(CARD)
    place.mkdir(parents=True)
    (place / TINY.name).write_bytes(b"damaged")
    with pytest.raises(OSError, match="No space left"):
        put_model(tmp_path, CARD, FILES)
    assert files_in(tmp_path) == [TINY.name]
    (place / TINY.name).unlink()
    (place / f"{CARD.name}.json").write_bytes(b"mine")
    full.undo()
    (place / PASSED).mkdir()  # the third cannot be put in its place
    with pytest.raises(OSError, match="directory"):
        put_model(tmp_path, CARD, FILES)
    assert files_in(tmp_path) == [f"{CARD.name}.json"]
