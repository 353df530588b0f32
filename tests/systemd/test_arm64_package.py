"""``apt install ./mien_VERSION_arm64.deb`` in an arm64 Debian, whose programs are emulated.

Without a booted systemd: what the service does there is tested on this machine's architecture. The
tests build on each other in the order of the file, and take five minutes. Beside other work the
emulated self-test of the generator may take longer than the 20 s that it has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.camera.demo import PORTRAIT_PATH
from tests.systemd.bundles import later_package
from tests.systemd.foreign import ForeignRoot, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MIEN_IMAGE_TEST" not in os.environ, reason="runs with make image-test"),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

SETTINGS = '[camera]\nsource = "demo"\n[display]\nbackend = "none"\n'
PLACES = ("etc/mien", "var/lib/mien", "var/lib/private/mien", "opt/mien", "usr/lib/mien")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for trixie's Python alone."""
    command = ["systemd/deb.sh", "--arch", "aarch64", "--python", "3.13"]
    made = subprocess.check_output(command, text=True).strip().splitlines()[-1]
    return Path(shutil.move(made, tmp_path_factory.mktemp("package") / "mien.deb"))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignRoot]:
    board = ForeignRoot(tmp_path_factory.mktemp("board") / "root")
    (board.root / "etc/mien").mkdir()
    (board.root / "etc/mien/mien.toml").write_text(SETTINGS)
    yield board
    shutil.rmtree(board.root)


def apt(board: ForeignRoot, *words: str) -> str:
    return board.run("apt-get", "-y", "--no-install-recommends", *words).stdout


def install(board: ForeignRoot, package: Path) -> str:
    shutil.copy(package, board.root / "root")
    return apt(board, "install", f"/root/{package.name}")


def test_apt_installs_it_and_the_program_starts(board: ForeignRoot, package: Path) -> None:
    install(board, package)
    assert board.run("uname", "-m").stdout.strip() == "aarch64"
    assert board.run("mien", "--version").stdout.startswith("mien ")
    assert os.path.lexists(board.root / "etc/systemd/system/mien.service")


def test_each_shipped_model_runs_on_the_arm64_runtime(board: ForeignRoot) -> None:
    said = board.run("mien", "check", "--config", "/etc/mien/mien.toml").stdout
    assert "self-test passed on ai_edge_litert" in said
    assert "detector  blazeface" in said
    doctor = board.run("mien", "doctor", "--config", "/etc/mien/mien.toml", check=False).stdout
    lines = {line[4:].split()[0]: line for line in doctor.splitlines() if line[:2] in ("ok", "--")}
    for name in ("settings", "opencv", "detector", "runtime", "model", "shipped"):
        assert lines[name].startswith("ok"), doctor
    assert "aarch64" in lines["board"]


def test_the_portrait_is_read_as_on_any_machine(board: ForeignRoot) -> None:
    shutil.copy(PORTRAIT_PATH, board.root / "root")
    said = board.run("mien", "analyze", "/root/astronaut.jpg").stdout
    (seen,) = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    (face,) = seen["faces"]
    assert (face["expression"], face["probability"] > 0.9) == ("happy", True)


def test_an_upgrade_keeps_settings_and_state(board: ForeignRoot, package: Path) -> None:
    before = os.readlink(board.root / "opt/mien/current")
    (board.root / "var/lib/mien").mkdir(exist_ok=True)
    (board.root / "var/lib/mien/kept").write_text("state")
    install(board, later_package(package, "9.0.1", (r"^RestartSec=5", "RestartSec=7")))
    assert os.readlink(board.root / "opt/mien/current") != before
    assert (board.root / "etc/mien/mien.toml").read_text() == SETTINGS
    assert (board.root / "var/lib/mien/kept").read_text() == "state"
    assert board.run("mien", "--version").stdout.startswith("mien ")


def test_remove_keeps_settings_and_purge_leaves_nothing(board: ForeignRoot) -> None:
    apt(board, "remove", "mien")
    assert not (board.root / "opt/mien").exists()
    assert (board.root / "etc/mien/mien.toml").read_text() == SETTINGS
    apt(board, "purge", "mien")
    assert not [place for place in PLACES if os.path.lexists(board.root / place)]
