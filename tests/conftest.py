"""What many tests share: a real broker, how they are spread over workers, what was skipped."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.broker import Mosquitto, TestBroker, start_broker

ROOT = Path(__file__).parents[1]
LONGEST_FIRST = (
    "tests/export/", "tests/training/gan/test_fitting", "tests/training/classifier/",
    "tests/training/", "tests/systemd/", "tests/device/cli/", "tests/architecture/",
)  # fmt: skip
GB_A_WORKER = 1.4 if find_spec("tensorflow") else 0.3  # with FER2013 loaded
PACKAGES = {  # what a reason says: what installs it
    "mosquitto": "mosquitto", "shellcheck": "shellcheck", "openssh-client": "openssh-client",
    "systemd-analyze": "systemd", "gcc": "gcc", "GStreamer": "gstreamer1.0-tools",
    "e2fsprogs": "e2fsprogs dosfstools mtools fdisk", "BlazeFace": "BlazeFace (mien fetch)",
    "tflite_runtime": "tflite-runtime (pip)", "chromium": "chromium", "node": "nodejs npm",
}  # fmt: skip


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker of the test's own: mosquitto, or the embedded one where it is not installed."""
    with start_broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def real_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """mosquitto itself, for what only it can do (TLS, access lists, MQTT 5)."""
    with start_broker(tmp_path) as broker:
        if not isinstance(broker, Mosquitto):
            pytest.skip("mosquitto is not installed; see tests/install-mosquitto.sh")
        yield broker


class FilesThatShare(LoadScopeScheduling):
    """A file's tests stay with one worker; so do files that share a trained model."""

    def _split_scope(self, nodeid: str) -> str:
        return _share_of(nodeid.partition("::")[0])


@cache
def _share_of(file: str) -> str:
    text = (ROOT / file).read_text(encoding="utf-8")
    return "drawn_run" if "drawn_run" in text or "drawn_pair" in text else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesThatShare:
    """Instead of xdist's own ways to deal tests out to workers."""
    return FilesThatShare(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones begin, so that no worker waits for the other at the end."""

    def place(item: pytest.Item) -> int:
        begins = (n for n, path in enumerate(LONGEST_FIRST) if item.nodeid.startswith(path))
        return next(begins, len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """All that was imported stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores, as many tests wait for others, and no more than the memory holds."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return max(1, min(len(os.sched_getaffinity(0)) + 1, int(memory / GB_A_WORKER)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The last line: what to install so that fewer tests are skipped."""
    reasons = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", [])]
    if line := missing_packages(reasons):
        terminalreporter.write_line(line)


def missing_packages(reasons: list[str]) -> str:
    """One line that counts the skipped tests and names what they lack; empty: none skipped."""
    if not reasons:
        return ""
    missing = [name for word, name in PACKAGES.items() if any(word in text for text in reasons)]
    others = sum(not any(word in text for word in PACKAGES) for text in reasons)
    parts = [f"install {', '.join(missing)}"] if missing else []
    if others:
        parts.append(f"{others} for want of rights, hardware or data (pytest -rs tells each)")
    return f"{len(reasons)} skipped: {'; '.join(parts)}"
