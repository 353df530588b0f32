"""What the tests of commands share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from device.cli import check, doctor
from device.vision.trial import damaged_shipped
from tests.device.cli.processes import ROOT

BLAZEFACE = ("face_detection_back.tflite", "face_detection_short_range.tflite")


@pytest.fixture(scope="session", autouse=True)
def shipped_tried_once() -> Iterator[None]:
    """The shipped models are tried in a process of their own once, not at every command here.

    Commands in processes of their own, and tests of ``damaged_shipped`` itself, try them.
    """
    once = cache(damaged_shipped)
    with pytest.MonkeyPatch.context() as patch:
        for command in (check, doctor):
            patch.setattr(command, "damaged_shipped", once)
        yield


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the package with a folder of models that a test may damage."""
    shutil.copytree(
        ROOT / "device",
        tmp_path / "device",
        ignore=shutil.ignore_patterns("*.pyc.*", *BLAZEFACE),
    )
    return tmp_path
