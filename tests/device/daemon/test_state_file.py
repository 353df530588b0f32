from __future__ import annotations

import json
import logging
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.daemon.state_file import StateFile
from device.settings import Settings


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
