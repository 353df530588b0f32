from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from device.daemon.ownership import give_to_owner

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@needs_root
def test_what_root_installs_belongs_to_the_service(tmp_path: Path) -> None:
    state = tmp_path / "mien"
    (state / "models" / "x").mkdir(parents=True)
    (state / "models" / "x" / "x.tflite").write_bytes(b"1")
    (state / "models" / "x" / "current").symlink_to("1-abc")
    os.chown(state, 4321, 4322)
    (state / "of-others").mkdir()  # a state folder that is shared, such as /var/lib
    give_to_owner(state, state / "models")
    assert (state / "of-others").stat().st_uid == 0
    for path in (state / "models", *(state / "models").rglob("*")):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (4321, 4322)


@needs_root
def test_another_user_is_told_to_use_sudo(tmp_path: Path) -> None:
    closed = tmp_path / "private"
    (closed / "mien").mkdir(parents=True)
    closed.chmod(0o700)
    script = (  # all is imported before: Python may lie in root's own home
        "import os, sys, locale; from device.__main__ import main; import device.cli.capture;"
        "import device.cli.model; os.setuid(65534); sys.exit(main(sys.argv[1:],"
        f" {{'STATE_DIRECTORY': {str(closed / 'mien')!r}}}))"
    )
    for words in (["capture", "clear"], ["model", "list"], ["model", "rollback", "expression"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert "run the command with sudo" in done.stderr
        assert len(done.stderr.splitlines()) == 1
