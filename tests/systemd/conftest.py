"""A device in temporary folders: its FAT partition and its root."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    (tmp_path / "boot").mkdir()
    return tmp_path / "boot"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    zone = tmp_path / "root/usr/share/zoneinfo/Europe/Berlin"
    zone.parent.mkdir(parents=True)
    zone.touch()
    return tmp_path / "root"
