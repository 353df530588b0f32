"""An emulated board: QEMU boots an image; a test on the host looks at it from outside."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

from tests.broker import free_port

CACHE = Path(os.environ.get("MIEN_CACHE", "~/.cache/mien")).expanduser()
BOOT_OFFSET = 4 << 20  # of the FAT partition, see make_disk in build.sh
ROOT_OFFSET = BOOT_OFFSET + (512 << 20)
HOST = "10.0.2.2"  # the host's loopback, as the guest sees it
MIB = 1 << 20

# MIEN_PATIENCE=5 on a busy machine: waits five times as long, and lets the guest's clock follow
# its instructions, so that nothing inside runs into a timeout because the host was slow.
PATIENCE = float(os.environ.get("MIEN_PATIENCE", "1"))
BOOT_S = 300 * PATIENCE
ACCELERATOR = ("-accel", "tcg,thread=multi") if PATIENCE == 1 else ("-icount", "shift=2")

VIRT = ("-M", "virt", "-cpu", "cortex-a72", "-smp", "2" if PATIENCE == 1 else "1", "-m", "1024")
VIRT_SCREEN = ("-device", "virtio-gpu-pci")
RASPI = ("-M", "raspi3b")


SETTINGS = """\
[camera]
source = "demo"
[mqtt]
host = "{host}"
port = {port}
keepalive_s = 3600  # the guest's clock may be slower than the broker's
"""


def wait_until(condition: Callable[[], object], within_s: float, what: str) -> None:
    """Polls once a second."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        time.sleep(1)


def copy_to_boot(image: Path, **files: str) -> None:
    """Writes texts to the FAT partition; ``mien_toml`` becomes ``mien.toml``."""
    for name, text in files.items():
        path = image.parent / name.replace("_toml", ".toml").replace("_", "-")
        path.write_text(text)
        drive = f"{image}@@{BOOT_OFFSET}"
        subprocess.run(["mcopy", "-o", "-i", drive, path, f"::/{path.name}"], check=True)


def copy_to_root(image: Path, path: str, text: str, mode: int) -> None:
    """Writes a file, owned by root, to the SD card's root file system."""
    source = image.parent / Path(path).name
    source.write_text(text)
    source.chmod(mode)
    drive = f"{image}?offset={ROOT_OFFSET}"
    subprocess.run(["debugfs", "-w", "-R", f"write {source} {path}", drive], check=True)


def sd_card(folder: Path, source: Path, key: Path, port: int, size_mib: int) -> Path:
    """A larger SD card with the image on it and the user's two files edited."""
    image = folder / "disk.img"
    subprocess.run(["cp", "--sparse=always", source, image], check=True)
    os.truncate(image, size_mib * MIB)
    public = key.with_suffix(".pub").read_text().strip()
    setup = f'hostname = "hall"\ntimezone = "Europe/Berlin"\nssh_key = "{public}"\n'
    copy_to_boot(image, mien_setup_toml=setup, mien_toml=SETTINGS.format(host=HOST, port=port))
    return image


def boot_file(image: Path, pattern: str) -> Path:
    """Copies the first file on the FAT partition that matches out of the image."""
    drive = f"{image}@@{BOOT_OFFSET}"
    listed = subprocess.check_output(["mdir", "-b", "-i", drive, "::/"], text=True).splitlines()
    name = next(line for line in listed if re.search(pattern, line))
    target = image.parent / name.removeprefix("::/")
    subprocess.run(["mcopy", "-o", "-i", drive, name, target], check=True)
    return target


class Machine:
    """A running emulator.

    Args:
        folder: where its sockets, logs and screendumps are.
        ssh_port: forwarded to the guest's 22.
        key: the private key for ``admin``.
    """

    def __init__(self, folder: Path, ssh_port: int, key: Path) -> None:
        self.folder = folder
        self._ssh_port = ssh_port
        self._key = key

    def run(self, command: str, timeout_s: float = 120) -> str:
        """Runs a shell command in the guest as root; its output."""
        quiet = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        options = [f"-o{option}" for option in (*quiet, "ConnectTimeout=20", "BatchMode=yes")]
        ssh = ["ssh", "-i", str(self._key), "-p", str(self._ssh_port), *options]
        done = subprocess.run(
            [*ssh, "admin@127.0.0.1", f"sudo sh -c '{command}'"],
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        return done.stdout.strip() if done.returncode in (0, 1, 3) else f"ssh: {done.stderr}"

    @property
    def serial(self) -> str:
        """What came over the serial line."""
        path = self.folder / "serial.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def screen(self) -> np.ndarray:
        """The HDMI picture, (height, width, 3) RGB."""
        path = self.folder / "screen.ppm"
        path.unlink(missing_ok=True)
        self.monitor(f"screendump {path}")
        wait_until(lambda: path.exists() and path.stat().st_size > 0, 20, "a screendump")
        time.sleep(1)  # it is still being written
        return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)

    def monitor(self, command: str) -> None:
        """Says something to QEMU itself."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "monitor"))
            monitor.sendall(command.encode() + b"\n")
            monitor.settimeout(2)
            with suppress(TimeoutError):
                while monitor.recv(4096):
                    pass


@contextmanager
def running(
    image: Path, key: Path, board: Sequence[str], drive: str, append: str
) -> Iterator[Machine]:
    """Boots an image; the emulator is gone afterwards.

    Args:
        image: of the SD card; written to.
        key: private SSH key.
        board: QEMU's options for the machine.
        drive: QEMU's interface of the SD card.
        append: more words for the kernel's command line.
    """
    folder, ssh_port = image.parent, free_port()
    network = f"user,id=net,hostfwd=tcp:127.0.0.1:{ssh_port}-:22"
    command = ["qemu-system-aarch64", *board, *ACCELERATOR]
    command += ["-kernel", str(boot_file(image, r"/vmlinuz-"))]
    command += ["-initrd", str(boot_file(image, r"/initrd"))]
    command += ["-append", f"root=LABEL=ROOT rw net.ifnames=0 {append}"]
    command += ["-drive", f"file={image},format=raw,if={drive}", "-netdev", network]
    command += ["-display", "none", "-serial", f"file:{folder}/serial.log", "-no-reboot"]
    command += ["-monitor", f"unix:{folder}/monitor,server,nowait"]
    qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield Machine(folder, ssh_port, key)
    finally:
        qemu.terminate()
        try:
            qemu.wait(20)
        except subprocess.TimeoutExpired:
            qemu.kill()
            qemu.wait()
