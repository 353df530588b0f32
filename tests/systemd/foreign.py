"""A small Debian of another architecture: its programs run in a chroot under qemu-user."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.board.boards import CORES
from tests.board.emulator import cpuinfo
from tests.systemd.container import CLEAN, root_archive

FORMATS = Path("/proc/sys/fs/binfmt_misc")
SUITE = "trixie"
CORE = CORES["a72"]  # of a Raspberry Pi 4
# Mounts end with the namespace. The runtime reads the processor's features there, and fails on
# those of another architecture.
SETUP = 'mount -t proc proc /proc && mount --bind /cpuinfo /proc/cpuinfo && exec "$@"'


def why_not() -> str:
    """Why no arm64 program runs here; empty where it does."""
    if os.uname().machine != "aarch64" and not (FORMATS / "qemu-aarch64").exists():
        return "arm64 programs do not run here: apt install qemu-user-static binfmt-support"
    for tool in ("mmdebstrap", "unshare"):
        if shutil.which(tool) is None:
            return f"{tool} is missing"
    return "" if os.geteuid() == 0 else "needs root"


class ForeignRoot:
    """An unpacked root without a booted systemd and without a network.

    Args:
        root: its new folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        subprocess.run(["tar", "-C", root, "-xf", root_archive(SUITE, "arm64")], check=True)
        (root / "cpuinfo").write_text(cpuinfo(CORE))

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command inside and returns what it said."""
        inside = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        inside += [f"--root={self.root}", "sh", "-c", SETUP, "sh"]
        done = subprocess.run(
            [*inside, *command],
            env={**CLEAN, "QEMU_CPU": CORE.qemu, "DEBIAN_FRONTEND": "noninteractive"},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}"
        return done
