from __future__ import annotations

import errno
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

from device.daemon.state_file import StateFile
from device.errors import StorageError
from device.settings import Settings


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "[" * 9999, '{"settings": 3, "paused": 1}', "9" * 5001]
)
def test_a_damaged_file_pauses_and_says_so_until_somebody_resumes(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    state = StateFile(path)
    assert state.apply(Settings()) == Settings()
    assert state.paused
    assert state.problem
    assert "settings.json is damaged" in state.problem
    state.remember(paused=False)
    assert state.problem is None
    assert state.lasts
    assert not StateFile(path).paused


def test_no_flipped_bit_ends_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    StateFile(path).remember({"smoothing.threshold": 0.6}, paused=True)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert StateFile(path).paused, damaged


def test_a_pipe_in_its_place_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.json")
    assert StateFile(tmp_path / "settings.json").paused


def test_a_file_of_an_older_mien_is_read_and_the_new_one_is_private(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"settings": {"smoothing.threshold": 0.6}, "paused": true, "announced": "x"}')
    state = StateFile(path)
    assert (state.paused, state.announced, state.problem) == (True, "x", None)
    umask = os.umask(0)
    try:
        state.remember(paused=False)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert StateFile(path).apply(Settings()).smoothing.threshold == 0.6


def test_a_file_that_everybody_may_read_becomes_private_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"paused": true}')
    path.chmod(0o644)
    assert StateFile(path).paused
    assert path.stat().st_mode & 0o777 == 0o600


def test_settings_that_no_longer_fit_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "settings.json"
    kept = {"smoothing.threshold": 0.6, "smoothing.dwell_s": 99, "gone.key": 1}
    path.write_text(json.dumps({"settings": kept}))
    with caplog.at_level(logging.WARNING):
        assert StateFile(path).apply(Settings()).smoothing.threshold == 0.6
    assert len(caplog.records) == 2


WRITER = """
import sys
from pathlib import Path
from device.daemon.state_file import StateFile
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


def test_damage_is_told_until_somebody_decides_about_the_pause(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{")
    state = StateFile(path)
    state.remember_announced("homeassistant/device/x/config", 2)
    state.remember(settings={"smoothing.threshold": 0.5})
    assert state.paused
    assert state.problem
    state.remember(paused=False)
    assert state.problem is None


def test_a_restart_forgets_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{")
    problem = StateFile(path).problem
    StateFile(path).remember_announced("homeassistant/device/x/config", 2)
    assert path.read_text() == "{"
    state = StateFile(path)
    assert (state.paused, state.problem) == (True, problem)
    state.remember_announced("homeassistant/device/x/config", 2)
    state.remember(settings={"smoothing.threshold": 0.6})
    state = StateFile(path)
    assert (state.paused, state.problem) == (True, problem)
    assert state.apply(Settings()).smoothing.threshold == 0.6
    state.remember(paused=True)
    state = StateFile(path)
    assert (state.paused, state.problem) == (True, None)
    assert state.announced == "homeassistant/device/x/config"


def test_without_a_file_it_is_remembered_to_the_end_alone() -> None:
    state = StateFile(None)
    assert (state.paused, state.problem) == (False, None)
    state.remember({"smoothing.threshold": 0.6}, paused=True)
    state.remember_announced("homeassistant/device/x/config", 2)
    assert (state.paused, state.announced) == (True, "homeassistant/device/x/config")
    assert state.apply(Settings()).smoothing.threshold == 0.6
    assert not StateFile(None).paused
    assert not StateFile(None).lasts


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_file_that_cannot_be_read_is_kept_and_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_folder: bool
) -> None:
    path, kept = tmp_path / "settings.json", tmp_path / "settings.json.unreadable"
    if as_folder:
        path.mkdir(mode=0o755)
    else:
        StateFile(path).remember({"smoothing.threshold": 0.6}, paused=True)
    before = None if as_folder else path.read_bytes()

    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        if not as_folder:
            patch.setattr("device.daemon.state_file.read_file", refuse)
        state = StateFile(path)
    reason = "Is a directory" if as_folder else "Permission denied"
    assert f"settings.json cannot be read ({reason}): paused" in (state.problem or "")
    assert state.paused
    if as_folder:
        assert path.stat().st_mode & 0o777 == 0o755
    state.remember({"smoothing.dwell_s": 1.0}, paused=False)
    assert StateFile(path).apply(Settings()).smoothing.dwell_s == 1.0
    assert kept.is_dir() if as_folder else kept.read_bytes() == before


def test_a_damaged_file_is_kept_beside_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"settings": {"smoothing.threshold": 0.6}, "paused": 3}')
    StateFile(path).remember(paused=False)
    assert "0.6" in (tmp_path / "settings.json.damaged").read_text()
    StateFile(path).remember(paused=True)
    assert "0.6" in (tmp_path / "settings.json.damaged").read_text()


@pytest.mark.parametrize("has_links", [True, False])
def test_where_nothing_can_be_written_the_damaged_file_stays_and_so_does_the_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{")
    (tmp_path / ".settings.json.part").mkdir()  # in the way
    if not has_links:
        monkeypatch.setattr(os, "link", _no_links)
    state = StateFile(path)
    with pytest.raises(StorageError, match=r"settings\.json: cannot be written: ") as raised:
        state.remember(paused=False)
    assert "Errno" not in str(raised.value)
    assert path.read_text() == "{"
    assert state.paused
    assert StateFile(path).paused


def _no_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_what_stands_above_the_settings_is_said_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert StateFile(path).describe(Settings()) == ""
    same = Settings().smoothing.dwell_s
    kept = {"smoothing.threshold": 0.6, "smoothing.dwell_s": same, "gone.key": 1}
    StateFile(path).remember(kept)
    told = "smoothing.threshold = 0.6 (settings: 0.45)"
    assert StateFile(path).describe(Settings()) == told
    StateFile(path).remember(paused=True)
    assert StateFile(path).describe(Settings()) == f"paused, until resume, {told}"
