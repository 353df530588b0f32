"""What the Makefile's targets take from dist, among what earlier versions left there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

MAKEFILE = Path(__file__).parents[1] / "Makefile"
BUNDLE = '#!/bin/sh\n[ -z "$FAILS" ] || exit 1\necho dist/mien-0.10.0\n'
SUDO = '#!/bin/sh\necho "sudo $*"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with install bundles and images of three versions."""
    (tmp_path / "systemd").mkdir()
    programs(tmp_path / "systemd", **{"bundle.sh": BUNDLE, "flash.sh": '#!/bin/sh\necho "$1"\n'})
    for version in ("0.9.0", "0.10.0", "0.10.0rc2"):
        (tmp_path / "dist" / f"mien-{version}").mkdir(parents=True)
        (tmp_path / "dist" / f"mien-{version}/install.sh").touch(mode=0o755)
        (tmp_path / "dist" / f"mien-{version}-arm64.img").touch()
    return tmp_path


def make(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = programs(clone / "programs", sudo=SUDO)
    command = ["make", "-s", "-f", str(MAKEFILE), *words, f"PATH={path}"]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True)


def test_the_bundle_that_was_just_made_is_installed(clone):
    done = make(clone, "install")
    assert done.stdout == "sudo dist/mien-0.10.0/install.sh --local\n"


def test_nothing_is_installed_without_a_bundle(clone):
    done = make(clone, "install", "FAILS=yes")
    assert done.returncode != 0
    assert done.stdout == ""


def test_the_newest_image_is_flashed(clone):
    assert make(clone, "flash").stdout == "dist/mien-0.10.0-arm64.img\n"
    (clone / "dist/mien-0.10.0-arm64.img").unlink()
    assert make(clone, "flash").stdout == "dist/mien-0.10.0rc2-arm64.img\n"
    for image in clone.glob("dist/*.img"):
        image.unlink()
    assert make(clone, "flash").stdout == "\n"
    assert make(clone, "flash", "IMAGE=my own.img").stdout == "my own.img\n"
