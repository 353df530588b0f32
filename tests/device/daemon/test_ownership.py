from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.__main__ import main
from tests.generators import generator_bundle

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The service's folder in one that only root may enter, as systemd has it."""
    closed = tmp_path / "private"
    folder = closed / "mien"
    folder.mkdir(parents=True)
    closed.chmod(0o700)
    os.chown(folder, 4321, 4322)
    return folder


@needs_root
def test_what_root_installs_belongs_to_the_service(state: Path, tmp_path: Path) -> None:
    bundle = generator_bundle(tmp_path / "bundle")
    environment = {"STATE_DIRECTORY": str(state)}
    assert main(["model", "install", str(bundle)], environment) == 0
    found = list((state / "models").rglob("*"))
    assert len(found) >= 5
    for path in (state / "models", *found):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (4321, 4322)
    assert main(["model", "rollback", "generator"], environment) == 0
    assert os.geteuid() == 0


@needs_root
def test_root_follows_no_link_of_the_service_to_where_the_service_may_not_write(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_root = tmp_path / "etc"
    of_root.mkdir()
    (of_root / "20260101T000000000000Z_happy_090_1.png").write_bytes(b"x")
    bundle = generator_bundle(tmp_path / "bundle")
    environment = {"STATE_DIRECTORY": str(state)}
    for name in ("models", "capture"):
        (state / name).symlink_to(of_root)
    assert main(["model", "install", str(bundle)], environment) == 2
    assert main(["capture", "clear"], environment) == 2
    assert "ermission denied" in capsys.readouterr().err
    assert [p.name for p in of_root.iterdir()] == ["20260101T000000000000Z_happy_090_1.png"]
    assert of_root.stat().st_uid == 0


def test_an_export_of_no_faces_says_that_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "capture").mkdir()
    for target in (str(tmp_path / "out"), "/proc/out"):
        assert main(["capture", "export", target], {"STATE_DIRECTORY": str(tmp_path)}) == 2
        out, err = capsys.readouterr()
        assert (out, err) == ("", f"mien: {tmp_path / 'capture'}: no faces were collected there\n")


@needs_root
def test_exported_faces_are_for_the_owner_of_the_folder_alone(state: Path, tmp_path: Path) -> None:
    (state / "capture").mkdir()
    name = "20260101T000000000000Z_happy_090_1.png"
    cv2.imwrite(str(state / "capture" / name), np.zeros((48, 48), np.uint8))
    secret = tmp_path / "secret.png"
    cv2.imwrite(str(secret), np.zeros((48, 48), np.uint8))
    (state / "capture" / name.replace("01T", "02T")).symlink_to(secret)
    os.mkfifo(state / "capture" / name.replace("01T", "03T"))
    for path in (state / "capture", *(state / "capture").iterdir()):
        os.chown(path, 4321, 4322, follow_symlinks=False)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 1234, 1234)
    umask = os.umask(0)
    try:
        environment = {"STATE_DIRECTORY": str(state)}
        assert main(["capture", "export", str(home / "faces")], environment) == 0
    finally:
        os.umask(umask)
    files = [path for path in (home / "faces").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == [name, "captured.csv"]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_uid == 1234


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
    # That user could not write what coverage measures in child processes.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    for words in (["capture", "clear"], ["model", "list"], ["model", "rollback", "expression"]):
        command = [sys.executable, "-c", script, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 2, done.stderr
        assert "run the command with sudo" in done.stderr
        assert len(done.stderr.splitlines()) == 1
