from __future__ import annotations

import re
import threading
import urllib.request
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from device.daemon.board import Board
from device.daemon.health import HealthReporter, Report, collect
from device.daemon.metrics import Metrics
from device.daemon.prometheus import PrometheusEndpoint, PrometheusFile, render
from device.errors import ConfigurationError
from device.mqtt.identity import Identity
from device.mqtt.payloads import Payloads, WallClock
from device.mqtt.schemas import read_schema
from tests.broker import free_port
from tests.device.mqtt.appliance import wait_until
from tests.device.mqtt.validation import assert_documented


def loop_metrics() -> Metrics:
    metrics = Metrics()
    for number in range(20):
        metrics.frame(100.0 + number / 10)
        with metrics.stage("classify"):
            pass
    return metrics


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "problem": None,
        "model": {"name": "expression", "version": "1", "sha256": "ab"},
        "detector": "haar",
        "settings": {"smoothing.threshold": 0.5},
        "outbox_depth": 3,
        "dropped_events": 4,
        "dropped_frames": 0,
        "refused_commands": 0,
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


def test_prometheus_text_has_the_form_that_prometheus_reads(tmp_path: Path) -> None:
    text = render(make_report(tmp_path, problem='odd "one"\n'))
    assert text.endswith("\n")
    sample = re.compile(r'[a-z_][a-z0-9_]*(\{[a-z_0-9]+="[^"\n]*"(,[a-z_0-9]+="[^"\n]*")*\})? \S+')
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line
    assert "mien_frames_per_second 10\n" in text
    assert "mien_dropped_events_total 4\n" in text
    assert 'mien_stage_seconds{stage="classify",quantile="0.5"}' in text
    assert "mien_problem 1\n" in text
    assert "mien_temperature_celsius" not in text  # unknown is left out, not zero
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_the_file_is_replaced_and_a_missing_folder_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = make_report(tmp_path)
    PrometheusFile(tmp_path / "out" / "mien.prom")(report)
    assert (tmp_path / "out" / "mien.prom").read_text() == render(report)
    (tmp_path / "file").write_text("")
    broken = PrometheusFile(tmp_path / "file" / "mien.prom")
    broken(report)
    broken(report)
    assert len(caplog.records) == 1


def test_the_endpoint_listens_on_loopback_and_serves_the_newest(tmp_path: Path) -> None:
    endpoint = PrometheusEndpoint(free_port())
    try:
        endpoint(make_report(tmp_path))
        with urllib.request.urlopen(f"http://127.0.0.1:{endpoint.port}/metrics") as answer:
            assert "text/plain" in answer.headers["Content-Type"]
            assert b"mien_info{" in answer.read()
        table = Path("/proc/net/tcp").read_text()
        assert f"0100007F:{endpoint.port:04X} 00000000:0000 0A" in table
        assert f"00000000:{endpoint.port:04X}" not in table
        with pytest.raises(ConfigurationError, match=r"prometheus_port"):
            PrometheusEndpoint(endpoint.port)
    finally:
        endpoint.close()


def test_reports_come_soon_after_the_start_and_when_asked_for() -> None:
    told: list[Report] = []
    reporter = HealthReporter(loop_metrics(), facts, Board(), [told.append], interval_s=1000.0)
    reporter.start()
    wait_until(lambda: len(told) == 1, 5.0)
    reporter.report_now()
    wait_until(lambda: len(told) == 2, 5.0)
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
        assert called.acquire(timeout=5.0)
    reporter.close()
    assert len([r for r in caplog.records if "no health report" in r.message]) == 1
