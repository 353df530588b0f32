"""Runs the workload on an emulated core and returns what each of its sections executed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree, rmtree, which
from typing import Any

from tests.board.boards import CORES, PUBLISHED, Core
from tests.board.counts import Section, parse, without_marks
from tests.board.errors import BoardCostError
from tests.board.layers import LAYERS
from tests.board.root import REPOSITORY, call

EMULATOR = "qemu-aarch64"
NEWEST = (8, 2)  # QEMU whose plug-in interface count.c declares
LIMIT_S = 3600


def prepare(cache: Path) -> Path:
    """Compiles the plug-in; installs emulator and compiler first if root may.

    Raises:
        BoardCostError: they are missing, or QEMU is too new.
    """
    missing = [
        package for tool, package in ((EMULATOR, "qemu-user"), ("gcc", "gcc")) if not which(tool)
    ]
    if missing:
        advice = f"{' and '.join(missing)} missing: apt install qemu-user gcc libc6-dev"
        if os.getuid() or not which("apt-get"):
            raise BoardCostError(advice)
        call(["apt-get", "-q", "-y", "update"], advice)
        call(
            ["apt-get", "-q", "-y", "install", "--no-install-recommends", *missing, "libc6-dev"],
            advice,
        )
    version = qemu_version()
    loads_plugins = "-plugin" in call([EMULATOR, "-help"], f"{EMULATOR} does not start")
    if not loads_plugins or version > NEWEST:
        raise BoardCostError(
            f"{EMULATOR} {version[0]}.{version[1]} here loads no plug-in like count.c (Debian 13's loads "
            "none at all): use Debian 12 or Ubuntu 24.04"
        )
    cache.mkdir(parents=True, exist_ok=True)
    plugin = cache / "count.so"
    source = Path(__file__).with_name("count.c")
    call(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(source)],
        "count.c does not compile",
    )
    return plugin


def qemu_version() -> tuple[int, int]:
    """Major and minor."""
    found = re.search(
        r"version (\d+)\.(\d+)", call([EMULATOR, "--version"], f"{EMULATOR} does not start")
    )
    if not found:
        raise BoardCostError(f"{EMULATOR} does not say its version")
    return int(found[1]), int(found[2])


def run(
    core: Core, plugin: Path, root: Path, networks: Sequence[Path], label: str, what: str
) -> tuple[dict[str, Section], dict[str, Any]]:
    """One run of the whole workload.

    Args:
        core: which.
        plugin: from ``prepare``.
        root: the guest's files.
        networks: files of other networks.
        label: of this run, for its folder in the cache.
        what: of it; see workload.py.

    Returns:
        The sections, and what the workload saw.
    """
    own = plugin.parent / f"run-{label}"
    rmtree(own, ignore_errors=True)
    copytree(root, own / "root", symlinks=True, copy_function=os.link)
    (own / "root" / "proc" / "cpuinfo").write_text(cpuinfo(core), encoding="utf-8")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": "/opt/mien"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [EMULATOR, "-cpu", core.qemu, "-plugin", f"{plugin},out={own}/counts.txt"]
    command += ["-L", str(own / "root"), str(own / "root/usr/bin/python3")]
    command += ["-m", "tests.board.workload", what, str(own / "seen.json")]
    command += [str(path.absolute()) for path in networks]
    log = own / "log.txt"
    with log.open("w") as output:
        code = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=output,
            timeout=LIMIT_S,
            check=False,
        ).returncode
    if code:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        raise BoardCostError(
            f"the workload failed on {core.name}: {' '.join(last) or code} (see {log})"
        )
    seen = json.loads((own / "seen.json").read_text(encoding="utf-8"))
    text = (own / "counts.txt").read_text(encoding="utf-8")
    sections = without_marks(parse(text, seen["names"], seen["maps"]))
    rmtree(own / "root")
    return sections, seen


def others(core: Core, folder: Path) -> list[Path]:
    """The files of the networks beside Mien's that are counted on a core."""
    wanted = {p.network for p in PUBLISHED if CORES[p.core] == core} | {"fer"}
    wanted |= {layer.file for layer in LAYERS}
    return [path for path in sorted(folder.glob("*.tflite")) if path.stem in wanted]


def cpuinfo(core: Core) -> str:
    """``/proc/cpuinfo`` of a board with four such cores; the runtime chooses its kernels by it."""
    lines = [
        "BogoMIPS\t: 108.00",
        f"Features\t: {core.features}",
        "CPU implementer\t: 0x41",
        "CPU architecture: 8",
        "CPU variant\t: 0x0",
        f"CPU part\t: {core.part}",
        "CPU revision\t: 3",
    ]
    return "".join("\n".join([f"processor\t: {i}", *lines, "", ""]) for i in range(4))
