from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.service import state_file
from device.service.state_file import (
    StateFile,
    give_to_owner,
    service_settings,
    state_folder,
    write_atomically,
)
from device.settings import Settings


def test_the_folder_is_the_configured_one_else_systemds_else_at_home() -> None:
    environment = {"STATE_DIRECTORY": "/var/lib/mien:/other", "XDG_STATE_HOME": "/x"}
    assert state_folder("/mine", environment) == Path("/mine")
    assert state_folder("", environment) == Path("/var/lib/mien")
    assert state_folder("", {"XDG_STATE_HOME": "/x"}) == Path("/x/mien")


def test_an_installed_program_serves_the_service_s_folder_from_a_login_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_file, "RELEASES", Path(state_file.__file__).parents[2])
    assert state_folder("", {"XDG_STATE_HOME": "/x"}) == Path("/var/lib/mien")
    assert state_folder("/mine", {}) == Path("/mine")
    assert state_folder("", {"STATE_DIRECTORY": "/run/y"}) == Path("/run/y")


def test_an_installed_program_reads_the_service_s_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_file, "SERVICE_SETTINGS", tmp_path / "mien.toml")
    assert service_settings(None) is None
    monkeypatch.setattr(state_file, "RELEASES", Path(state_file.__file__).parents[2])
    assert service_settings(None) is None
    (tmp_path / "mien.toml").touch()
    assert service_settings(None) == tmp_path / "mien.toml"
    assert service_settings(Path("mine.toml")) == Path("mine.toml")


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


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "[" * 9999, '{"settings": 3, "paused": 1}']
)
def test_a_damaged_file_costs_only_what_was_set(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    state = StateFile(path)
    assert state.apply(Settings()) == Settings()
    assert not state.paused
    state.remember(paused=True)
    assert StateFile(path).paused


def test_settings_that_no_longer_fit_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "settings.json"
    kept = {"smoothing.threshold": 0.6, "smoothing.dwell_s": 99, "gone.key": 1}
    path.write_text(json.dumps({"settings": kept}))
    with caplog.at_level(logging.WARNING):
        assert StateFile(path).apply(Settings()).smoothing.threshold == 0.6
    assert len(caplog.records) == 2


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    write_atomically(path, b"old")
    (tmp_path / ".settings.json.part").mkdir()  # in the way
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


WRITER = """
import sys
from pathlib import Path
from device.service.state_file import StateFile
state, number = StateFile(Path(sys.argv[1])), 0
while True:
    number += 1
    state.remember(settings={"smoothing.threshold": (number % 100) / 100}, paused=number % 2 == 0)
    print(number, flush=True)
"""


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_kill_9_never_damages_the_file(tmp_path: Path, kills: int) -> None:
    path, rng = tmp_path / "settings.json", random.Random(3)
    for _ in range(kills):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.1))
            writer.send_signal(signal.SIGKILL)
        body = json.loads(path.read_text())
        assert 0 <= body["settings"]["smoothing.threshold"] < 1
