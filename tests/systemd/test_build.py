"""``build.sh`` on a root of a few files; tests/image boots what it makes of the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

PLAIN_USER = {"id": "#!/bin/sh\necho 0\n", "chroot": "#!/bin/sh\n"}  # no root is needed for this
TOOLS = ("debugfs", "mke2fs", "sfdisk", "mkfs.vfat", "mcopy")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="needs e2fsprogs, dosfstools, mtools, fdisk"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What build.sh reads, with a small root instead of the base."""
    clone, root = tmp_path / "clone", tmp_path / "root"
    shutil.copytree("systemd/image", clone / "systemd/image")
    script = clone / "systemd/image/build.sh"
    small = script.read_text().replace("BOOT_MIB=512", "BOOT_MIB=64")
    script.write_text(small.replace("SPARE_MIB=200", "SPARE_MIB=16"))
    (clone / "device").mkdir()
    (clone / "device/__init__.py").write_text('__version__ = "0.1.0"\n')
    for folder in ("etc/systemd/system", "boot/firmware"):
        (root / folder).mkdir(parents=True)
    (root / "boot/firmware/kernel").write_text("a kernel\n")
    subprocess.run(["tar", "-C", root, "-cf", tmp_path / "base.tar", "."], check=True)
    (clone / "systemd/image/base.sh").write_text(f"#!/bin/sh\necho {tmp_path}/base.tar\n")
    return clone


def build(clone: Path, **stubs: str) -> subprocess.CompletedProcess[str]:
    """The plain image, built by somebody whose new files are nobody else's."""
    path = programs(clone.parent / "programs", **PLAIN_USER, **stubs)
    return subprocess.run(
        [clone / "systemd/image/build.sh", "--plain"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "TMPDIR": str(clone.parent)},
        umask=0o077,
    )


def test_everybody_may_read_the_files_of_the_system(clone):
    done = build(clone)
    assert done.returncode == 0, done.stderr
    image = clone / "dist/mien-0.1.0-arm64.img"
    assert done.stdout.splitlines()[-1] == str(image)
    table = subprocess.check_output(["sfdisk", "--dump", image], text=True)
    start = int(table.splitlines()[-1].split("start=")[1].split(",")[0])
    root = f"{image}?offset={start * 512}"
    for name in ("fstab", "hostname", "hosts"):
        command = ["debugfs", "-R", f"stat /etc/{name}", root]
        assert "Mode:  0644" in subprocess.check_output(command, text=True)


@pytest.mark.parametrize("earlier", [None, "an earlier image"])
def test_an_image_that_is_not_finished_never_has_its_name(clone, earlier):
    image = clone / "dist/mien-0.1.0-arm64.img"
    image.parent.mkdir()
    if earlier:
        image.write_text(earlier)
    done = build(clone, dd="#!/bin/sh\necho no space left >&2\nexit 1\n")
    assert done.returncode == 1
    assert "no space left" in done.stderr
    assert list(image.parent.iterdir()) == ([image] if earlier else [])
    assert not earlier or image.stat().st_size == len(earlier)
