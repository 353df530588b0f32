from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from device.daemon.board import Board
from device.daemon.health import HealthReporter, Report, collect
from device.daemon.metrics import Metrics
from device.mqtt.identity import Identity
from device.mqtt.payloads import Payloads, WallClock
from device.mqtt.schemas import read_schema
from tests.device.mqtt.appliance import wait_until
from tests.device.mqtt.validation import assert_documented


def loop_metrics() -> Metrics:
    metrics = Metrics()
    for number in range(20):
        metrics.frame(100.0 + number / 10)
        with metrics.timed("classify"):
            pass
    return metrics


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "problem": None,
        "model": {"name": "expression", "version": "1", "sha256": "ab"},
        "detector": "haar",
        "settings": {"smoothing.threshold": 0.5},
        "outbox_depth": 3,
        "counts": {"dropped_frames": 0, "dropped_events": 4, "refused_commands": 0},
        **changes,
    }


def make_report(tmp_path: Path, **changes: Any) -> Report:
    board = Board(tmp_path, vcgencmd=lambda: "")
    return collect(loop_metrics(), facts(**changes), board, uptime_s=12.7, now_s=102.0)


def test_a_report_is_what_its_schema_says(tmp_path: Path) -> None:
    report = make_report(tmp_path)
    payload = Payloads(Identity("x"), WallClock()).health(report, 0.0)
    schema = read_schema("health")
    jsonschema.validate(payload, schema)
    assert_documented(payload, schema, "health")
    assert (report["fps"], report["uptime_s"], report["outbox_depth"]) == (10.0, 12, 3)
    assert report["counts"]["dropped_events"] == 4
    assert report["temperature_c"] is None


def test_reports_come_soon_after_the_start_and_when_asked_for() -> None:
    told: list[Report] = []
    reporter = HealthReporter(loop_metrics(), facts, Board(), [told.append], interval_s=1000.0)
    reporter.start()
    wait_until(lambda: len(told) == 1)
    reporter.report_now()
    wait_until(lambda: len(told) == 2)
    reporter.close()


def test_it_ends_at_once_though_the_end_comes_just_as_it_wakes() -> None:
    told: list[Report] = []
    reporter = HealthReporter(loop_metrics(), facts, Board(), [told.append], interval_s=1000.0)

    class Interrupted(threading.Event):
        def clear(self) -> None:
            reporter._closing.set()  # as ``close`` does
            self.set()
            super().clear()

    reporter._soon = Interrupted()
    reporter.report_now()
    reporter.start()
    reporter._thread.join(30.0)
    assert not reporter._thread.is_alive()
    assert told == []


@pytest.mark.parametrize("error", [RuntimeError("once"), AttributeError("once")])
def test_no_mistake_ends_the_reports(error: Exception) -> None:
    told, errors = threading.Event(), [error]

    def fail_once() -> dict[str, Any]:
        if errors:
            raise errors.pop()
        return facts()

    tell = [lambda report: told.set()]
    reporter = HealthReporter(loop_metrics(), fail_once, Board(), tell, interval_s=0.01)
    reporter.start()
    assert told.wait(30.0)
    reporter.close()


def test_a_report_that_fails_is_logged_once_and_reporting_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    called = threading.Semaphore(0)

    def broken() -> dict[str, Any]:
        called.release()
        raise ValueError("no detector")

    reporter = HealthReporter(loop_metrics(), broken, Board(), [], interval_s=0.01)
    reporter.start()
    for _ in range(3):
        assert called.acquire(timeout=30.0)
    reporter.close()
    assert len([r for r in caplog.records if "no health report" in r.message]) == 1
