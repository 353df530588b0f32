"""A real systemd: a small Debian in systemd-nspawn, without a network, thrown away afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"  # its systemd also runs on hosts that still have control groups of version 1
PACKAGES = "systemd-sysv,dbus,udev,python3-venv,procps,openssh-client"
CACHE = Path(os.environ.get("MIEN_CACHE", "~/.cache/mien")).expanduser()
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
BOOT_S = 60
POWER_OFF = "RTMIN+4"  # systemd's own signal for it


def wait_until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Polls twice a second."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.5)


def root_archive(suite: str = SUITE, architecture: str = "") -> Path:
    """A root as a tar: built once (two minutes), then from the cache.

    Args:
        suite: of Debian.
        architecture: Debian's word for another one than this machine's; empty for its own.
    """
    key = hashlib.sha256(PACKAGES.encode()).hexdigest()[:12]
    name = f"{suite}-{architecture}" if architecture else suite
    archive = CACHE / f"container-{name}-{key}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(".part")
        recommends = '--aptopt=APT::Install-Recommends "false"'
        command = ["mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", "--mode=root"]
        command += [f"--architectures={architecture}"] if architecture else []
        command += [f"--include={PACKAGES}", recommends, suite, str(part), debian_mirror()]
        subprocess.run(command, check=True)
        part.rename(archive)
    return archive


def debian_mirror() -> str:
    """The mirror that apt uses here."""
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(SITE)"]
    for line in subprocess.check_output(command, text=True).splitlines():
        label, _, site = line.partition(" ")
        if label == "Debian":
            return site
    return os.environ["MIEN_DEBIAN_MIRROR"]


class Container:
    """A booted container.

    Args:
        root: its root directory, as seen from here.
        init: the process id of its systemd, as seen from here.
    """

    def __init__(self, root: Path, init: int) -> None:
        self.root = root
        self._init = init

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command inside and returns what it said."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._init), "--all", "--", *command],
            env=CLEAN,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}"
        return done

    def show(self, name: str, unit: str = "mien.service") -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def journal(self) -> str:
        """What mien.service and systemd said about it."""
        return self.run("journalctl", "--unit=mien", "--no-pager", "--output=cat").stdout


@contextmanager
def booted(root: Path) -> Iterator[Container]:
    """Boots a container from the cached root; its folder and processes are gone afterwards."""
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", root_archive()], check=True)
    command = ["systemd-nspawn", "--quiet", "--boot", "--directory", str(root)]
    command += ["--private-network", "--register=no", "--keep-unit", "--console=pipe"]
    with (root.parent / "console.log").open("wb") as console:
        nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
        )
        try:
            yield Container(root, _wait_for_boot(nspawn))
        finally:
            for init in _children(nspawn.pid):
                subprocess.run(["kill", f"--signal={POWER_OFF}", str(init)], check=False)
            try:
                nspawn.wait(30)
            except subprocess.TimeoutExpired:
                nspawn.kill()
                nspawn.wait()
            shutil.rmtree(root)


def _wait_for_boot(nspawn: subprocess.Popen[bytes]) -> int:
    def is_running() -> bool:
        assert nspawn.poll() is None, "systemd-nspawn ended: see console.log"
        for init in _children(nspawn.pid):
            asked = Container(Path(), init).run("systemctl", "is-system-running", check=False)
            return asked.stdout.strip() in ("running", "degraded")
        return False

    wait_until(is_running, BOOT_S, "the container's systemd is up")
    return _children(nspawn.pid)[0]


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]
