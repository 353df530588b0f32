"""Files that somebody else may have named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.files import read_file


def test_what_is_refused_is_closed_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(11))
    before = os.listdir("/proc/self/fd")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "large"):
        with pytest.raises(OSError, match=r"Is a directory|not a regular file|larger than"):
            read_file(path, most=10)
    assert len(os.listdir("/proc/self/fd")) == len(before)
