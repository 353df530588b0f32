"""Commands that write, where there is no room or nothing may be written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.__main__ import main
from device.camera import demo
from device.vision import MODELS

PORTRAIT = Path(demo.__file__).parent / "astronaut.jpg"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 8 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    (folder / "filler").write_bytes(bytes(56 << 10))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for suffix in (".tflite", ".json"):
        shutil.copy(MODELS / f"expression-tiny{suffix}", folder)
    return folder


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_no_half_of_an_annotated_picture_is_left(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(PORTRAIT), "--save", str(disk)]) == 2
    assert "cannot write: No space left on device" in capsys.readouterr().err
    assert left(disk) == ["filler"]


def test_no_half_of_a_synthetic_picture_is_left(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(disk / "o.png")
    assert main(["synthesize", str(PORTRAIT), "--expression", "happy", "--output", target]) == 2
    assert "cannot write: No space left on device" in capsys.readouterr().err
    assert left(disk) == ["filler"]


def test_no_half_of_a_model_is_left(
    disk: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "install", str(bundle)], {"STATE_DIRECTORY": str(disk)}) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert left(disk) == ["filler"]
    (disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
    assert main(["model", "install", str(bundle)], {"STATE_DIRECTORY": str(disk)}) == 0


def test_a_card_without_room_takes_its_model_along(
    disk: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
    room = os.statvfs(disk)
    model = (bundle / "expression-tiny.tflite").stat().st_size
    least = (model // room.f_frsize + 2) * room.f_frsize
    (disk / "more").write_bytes(bytes(room.f_bavail * room.f_frsize - least))
    assert main(["model", "install", str(bundle)], {"STATE_DIRECTORY": str(disk)}) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert left(disk) == ["filler", "more"]


def test_a_read_only_file_system_is_called_so(
    disk: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert main(["model", "install", str(bundle)], {"STATE_DIRECTORY": str(disk)}) == 2
    assert capsys.readouterr().err.endswith(f"{disk}: the file system is read-only\n")
