from __future__ import annotations

import socket
from pathlib import Path

import pytest
import sdnotify

from device.daemon.watchdog import SystemdWatchdog


class FakeNotifier:
    def __init__(self) -> None:
        self.told: list[str] = []

    def notify(self, state: str) -> None:
        self.told.append(state)


def test_ready_comes_with_the_first_finished_frame_only() -> None:
    notifier, now = FakeNotifier(), [0.0]
    watchdog = SystemdWatchdog(notifier, clock=lambda: now[0])
    assert notifier.told == []
    watchdog.pat()
    assert notifier.told == ["READY=1", "WATCHDOG=1"]


def test_pats_are_passed_on_once_a_second() -> None:
    notifier, now = FakeNotifier(), [0.0]
    watchdog = SystemdWatchdog(notifier, clock=lambda: now[0])
    for tenth in range(30):
        now[0] = tenth / 10
        watchdog.pat()
    assert notifier.told.count("WATCHDOG=1") == 3


def test_an_end_on_purpose_is_told() -> None:
    notifier = FakeNotifier()
    SystemdWatchdog(notifier).stopping()
    assert notifier.told == ["STOPPING=1"]


def test_systemd_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = sdnotify.SystemdNotifier()
        try:
            SystemdWatchdog(notifier).pat()
            assert systemd.recv(100) == b"READY=1"
            assert systemd.recv(100) == b"WATCHDOG=1"
        finally:
            notifier.socket.close()
