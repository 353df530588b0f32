"""What overlay.sh lays out for an image; pip is a stand-in, tests/image boots the real thing."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systemd import bundles

PYTHON = r"""#!/bin/bash
mkdir -p "${*: -1}/bin"
printf '#!/bin/sh\n' > "${*: -1}/bin/pip"
chmod +x "${*: -1}/bin/pip"
"""


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout for a signed install bundle, made by somebody whose files are nobody else's."""
    tmp_path = tmp_path_factory.mktemp("overlay")
    key = bundles.make_key(tmp_path / "key")
    path = bundles.programs(tmp_path / "programs", python3=bundles.PYTHON)
    clone = bundles.make_clone(tmp_path / "clone")
    bundle, _ = bundles.make_bundle(clone, PATH=path, FETCHES="yes", MIEN_SIGNING_KEY=str(key))
    (bundle / "requirements/3.13-aarch64.txt").touch()
    path = bundles.programs(tmp_path / "programs", python3=PYTHON)
    subprocess.run(["chmod", "-R", "go=", clone / "systemd"], check=True)
    command = ["systemd/image/overlay.sh", str(bundle), "3.13", str(tmp_path / "overlay")]
    environment = {**os.environ, "PATH": path}
    subprocess.run(command, cwd=clone, check=True, env=environment, umask=0o077)
    return tmp_path / "overlay"


def test_the_device_knows_the_key_and_can_check_updates(overlay):
    known = overlay / "etc/mien/bundle-key.pub"
    assert known.read_text().split() == (overlay.parent / "key.pub").read_text().split()[:2]
    release = overlay / "opt/mien" / os.readlink(overlay / "opt/mien/current")
    text = (release / "systemd/install.sh").read_text()
    for name in re.findall(r'^\. "\$HERE/(\S+)"', text, re.M):
        assert (release / "systemd" / name).is_file()


def test_the_service_may_read_everything_but_the_password(overlay):
    private = []
    for path in (overlay, *overlay.rglob("*")):
        wanted = 0o055 if path.is_dir() else 0o044
        if not path.is_symlink() and path.stat().st_mode & wanted != wanted:
            private.append(str(path.relative_to(overlay)))
    assert private == ["etc/mien/mqtt-password"]
    assert stat.S_IMODE((overlay / "etc/mien/mqtt-password").stat().st_mode) == 0o600


def test_what_the_units_start_is_there(overlay):
    unit = (overlay / "etc/systemd/system/mien-setup.service").read_text()
    program = re.search(r"^ExecStart=.* (/usr/local\S+)$", unit, re.M)
    assert program
    assert (overlay / program[1].lstrip("/")).is_file()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="runs on the image's own Python")
def test_the_first_boot_finds_its_modules_with_the_unit_s_options(overlay):
    unit = (overlay / "etc/systemd/system/mien-setup.service").read_text()
    found = re.search(r"^ExecStart=/usr/bin/python3 (\S+) (/usr/local\S+)$", unit, re.M)
    assert found
    program = overlay / found[2].lstrip("/")
    program.write_text(program.read_text().replace("sys.exit(main())", 'print("loaded")'))
    command = [sys.executable, found[1], str(program)]
    assert subprocess.check_output(command, text=True, cwd="/") == "loaded\n"
    assert not (program.parent / "__pycache__").exists()  # nothing is written to the SD card
