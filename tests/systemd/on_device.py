"""The modules of the first boot as the device loads them, and stand-ins for its programs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

if sys.version_info < (3, 11):
    pytest.skip("runs on the image's own Python, 3.11 and later", allow_module_level=True)

sys.path.insert(0, str(Path("systemd/image/files/usr/local/lib/mien").resolve()))
import first_boot
import setup_file
import system

__all__ = ["Programs", "first_boot", "setup_file", "system", "wifi_of"]


class Programs:
    """Records what would be run; each program answers as it was told."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.ran: list[list[str]] = []
        self._answers = answers

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.ran.append(list(command))
        status, text = self._answers.get(Path(command[0]).name, (0, ""))
        return subprocess.CompletedProcess(command, status, text, text)


def wifi_of(root: Path) -> Path:
    """NetworkManager's file."""
    return root / "etc/NetworkManager/system-connections/mien-wifi.nmconnection"
