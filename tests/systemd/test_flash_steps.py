"""Single steps of ``flash.sh`` on plain files; test_flash.py runs the whole on loop devices."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

FAILS = "#!/bin/sh\necho 'ioctl error on BLKFLSBUF: Permission denied' >&2\nexit 1\n"


def call(tmp_path: Path, command: str, **stubs: str) -> subprocess.CompletedProcess[str]:
    """Runs a function of the script."""
    script = f"set -euo pipefail; . systemd/flash.sh; {command}"
    environment = {**os.environ, "PATH": programs(tmp_path / "programs", **stubs)}
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """An image, and what stands for a disk."""
    image, disk = tmp_path / "disk.img", tmp_path / "disk"
    image.write_bytes(bytes(range(256)) * 16)
    disk.write_bytes(bytes(8192))
    return image, disk


def test_a_disk_that_was_written_and_not_read_back_is_told(tmp_path, files):
    image, disk = files
    done = call(tmp_path, f"write_and_verify {image} {disk}", blockdev=FAILS)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"flash.sh: {disk} was written, but could not be read back and compared: see above"
    )
    assert "Done" not in done.stdout


def test_a_disk_that_takes_only_part_of_the_image_is_told(tmp_path, files):
    image, disk = files
    dd = "#!/bin/sh\necho 'dd: Input/output error' >&2\nexit 1\n"
    done = call(tmp_path, f"write_and_verify {image} {disk}", dd=dd)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"flash.sh: {disk} holds only part of the image: see above, and try another one"
    )


@pytest.mark.parametrize(("user", "refused"), [(1000, True), (0, False)])
def test_only_root_can_read_back_what_was_written(tmp_path, files, user, refused):
    _, disk = files
    done = call(tmp_path, f"check_rights {disk}", id=f"#!/bin/sh\necho {user}\n")
    assert done.returncode == int(refused)
    said = f"flash.sh: no right to write to {disk} and to read it back: use sudo; nothing was written\n"
    assert done.stderr == (said if refused else "")
