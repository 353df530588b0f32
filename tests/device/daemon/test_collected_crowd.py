"""Collected faces where there are very many, and where the disk hangs."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.daemon import collected_faces
from device.daemon.collected_faces import CaptureStore, list_captures
from device.settings.tree import Capture
from device.vocabulary import Classification
from tests.device.daemon.test_collected_faces import FACE
from tests.device.mqtt.appliance import wait_until
from tests.fakes import CROP, HAPPY

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)


def test_a_disk_that_hangs_keeps_nobody_from_ending(tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    store = CaptureStore(folder, Capture(max_pictures=50, max_days=2))
    part = folder / ".part"
    os.mkfifo(part)  # a write to it waits for a reader
    for _ in range(40):
        store.add(CROP, Classification(FACE, HAPPY))
    ending = threading.Thread(target=store.close, args=[0.1], daemon=True)
    ending.start()
    ending.join(20)
    has_ended = not ending.is_alive()
    reader = os.open(part, os.O_RDONLY | os.O_NONBLOCK)  # the disk comes back
    wait_until(lambda: not part.exists())
    store.close()
    os.close(reader)
    assert has_ended
    assert len(list_captures(folder)) >= 16  # what waited is written all the same


@pytest.mark.parametrize(("old", "young"), [(1000, 0), (600, 400)])
def test_what_is_too_old_goes_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: int, young: int
) -> None:
    num_compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal num_compared
            num_compared += 1
            return str.__eq__(self, other)

    days = [1] * old + [23] * young
    names = [f"202611{d:02}T1100{n:08}Z_happy_090_1.png" for n, d in enumerate(days)]
    found = [SimpleNamespace(name=Name(name)) for name in names]
    store = CaptureStore(tmp_path, Capture(max_days=2), lambda: NOW, is_synced=lambda: False)
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(collected_faces, "list_captures", lambda folder: found)
    store.prune()
    monkeypatch.undo()
    assert len(list_captures(tmp_path)) == young
    assert num_compared <= 4 * len(names)
    store.close()
