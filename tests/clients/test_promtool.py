"""Prometheus' own tool reads what the daemon tells Prometheus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.broker import TestBroker
from tests.device.daemon.process import running_daemon
from tests.device.mqtt.appliance import wait_until

pytestmark = pytest.mark.slow


def test_promtool_has_nothing_to_say(
    mosquitto: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    path = tmp_path / "mien.prom"
    monkeypatch.setenv("MIEN_HEALTH__PROMETHEUS_FILE", str(path))
    with running_daemon(tmp_path, mosquitto.port):
        wait_until(lambda: path.exists() and "classify" in path.read_text(), 30.0)
    with path.open("rb") as text:
        checked = subprocess.run([promtool, "check", "metrics"], stdin=text, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
