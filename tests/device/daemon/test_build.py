"""How the daemon's parts are opened and closed."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from device import web
from device.cli import run
from device.daemon.build import Surroundings, open_daemon
from device.daemon.state_file import StateFile
from device.daemon.watchdog import SystemdWatchdog
from device.display.wording import CAPTURE_NOTICE
from device.errors import BrokerError
from device.mqtt.access import BrokerAccess
from device.settings import Settings, replace_setting
from device.vocabulary import CameraState, Status
from tests.broker import free_port
from tests.device.daemon.test_watchdog import FakeNotifier
from tests.device.mqtt.appliance import wait_until
from tests.device.web.site import parts_of


def settings_of(**changes: object) -> Settings:
    """Of a device with the demo camera, no screen, and a broker that is away."""
    settings = Settings()
    wanted = {"mqtt.host": "127.0.0.1", "mqtt.port": free_port(), "camera.source": "demo"}
    for dotted, value in {**wanted, "display.backend": "none", **changes}.items():
        settings = replace_setting(settings, dotted, value)
    return settings


def surroundings(folder: Path, under_systemd: bool = False) -> Surroundings:
    return Surroundings(io.StringIO(), False, under_systemd, folder, lambda: None)


def cameras() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "camera"]


def test_in_safe_mode_no_camera_is_read(tmp_path: Path) -> None:
    for model, num_cameras in (("expression-tiny", 1), ("none", 0)):
        before = cameras()  # a thread may have been given up by an earlier test
        settings = settings_of(**{"classifier.model": model})
        with open_daemon(settings, surroundings(tmp_path)) as (parts, _, _):
            assert len(set(cameras()) - set(before)) == num_cameras
            assert bool(parts.status.problem) == (num_cameras == 0)


@pytest.mark.parametrize("failure", [None, ZeroDivisionError])
def test_systemd_is_told_of_the_end_whatever_the_reason(
    failure: type[Exception] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = FakeNotifier()
    monkeypatch.setattr("device.daemon.build.SystemdWatchdog", lambda: SystemdWatchdog(systemd))
    settings = settings_of(**{"classifier.model": "none"})
    around = surroundings(tmp_path, under_systemd=True)
    with suppress(ZeroDivisionError), open_daemon(settings, around):
        if failure:
            raise failure
    assert systemd.told == ["STOPPING=1"]


def test_the_demo_is_not_paused_by_an_earlier_run(tmp_path: Path) -> None:
    StateFile(tmp_path / "settings.json").remember(paused=True)
    given = {"MIEN_DEVICE__STATE_DIR": str(tmp_path), "MIEN_WEB__ENABLED": "false"}
    log_path = tmp_path / "demo.log"
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "device", "run"],
            stdout=log,
            stderr=log,
            env={**os.environ, **given},
        )
    try:
        wait_until(lambda: "happy" in log_path.read_text(), 60.0, "the demo's face")
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0
    assert "without --config FILE, changed settings and a pause end" in log_path.read_text()


def test_the_page_says_that_faces_are_kept(tmp_path: Path) -> None:
    port = free_port()
    changes = {"classifier.model": "none", "web.enabled": True, "web.port": port}
    settings = settings_of(**changes, **{"capture.enabled": True, "display.notice": False})
    with open_daemon(settings, surroundings(tmp_path)):
        about = parts_of(port, {"about"})["about"]
    assert about["notice"] == CAPTURE_NOTICE
    page = (Path(web.__file__).parent / "static/page.html").read_text()
    assert page.index('id="notice"') < page.index("<main>")  # in sight, not below everything


def test_what_commands_have_set_is_in_the_log_of_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(**{"classifier.model": "none"})
    for is_set in (False, True):
        if is_set:
            state = StateFile(tmp_path / "settings.json")
            state.remember({"smoothing.threshold": 0.6}, paused=True)
        with caplog.at_level(logging.INFO), open_daemon(settings, surroundings(tmp_path)):
            pass
        told = [each for each in caplog.messages if each.startswith("remembered")]
        assert len(told) == is_set
    assert told[0].endswith("paused, until resume, smoothing.threshold = 0.6 (settings: 0.45)")


def test_the_device_goes_on_where_the_port_of_its_own_broker_is_taken() -> None:
    def taken() -> BrokerAccess:
        raise BrokerError("port 1883 of 127.0.0.1 is taken")

    side = Mock(reach=taken)
    run._tell(Settings(), Status(CameraState.ONLINE), side)
