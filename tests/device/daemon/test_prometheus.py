from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from device.daemon.health import Report
from device.daemon.prometheus import PrometheusFile, render
from tests.device.daemon.test_health import make_report


def samples(text: str) -> dict[str, float]:
    """Value by name and labels, as Prometheus reads them."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return make_report(tmp_path)


def test_prometheus_reads_the_text(tmp_path: Path) -> None:
    text = render(make_report(tmp_path, problem='odd "one"\n'))
    found = samples(text)
    assert found["mien_frames_per_second"] == 10
    assert found["mien_dropped_events_total"] == 4
    assert found["mien_problem"] == 1
    assert {"mien_stage_seconds 50 classify", "mien_stage_seconds 95 classify"} <= set(found)
    assert "mien_temperature_celsius" not in found  # unknown is left out, not zero
    assert 'model_name="expression"' in text


def test_numbers_keep_all_their_digits(report: Report) -> None:
    found = samples(render({**report, "uptime_s": 1_234_567, "memory_mb": 123.4}))
    assert found["mien_uptime_seconds"] == 1_234_567
    assert found["mien_resident_memory_bytes"] == 123_400_000


def test_only_a_summary_may_have_quantiles(report: Report) -> None:
    for family in text_string_to_metric_families(render(report)):
        labels = {label for sample in family.samples for label in sample.labels}
        assert "quantile" not in labels or family.type == "summary", family.name


def test_the_file_is_replaced_and_a_missing_folder_is_one_line(
    tmp_path: Path, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    PrometheusFile(tmp_path / "out" / "mien.prom")(report)
    assert (tmp_path / "out" / "mien.prom").read_text() == render(report)
    (tmp_path / "file").write_text("")
    broken = PrometheusFile(tmp_path / "file" / "mien.prom")
    broken(report)
    broken(report)
    assert len(caplog.records) == 1
    assert "/run/mien" in caplog.text
    assert "health.prometheus_port" in caplog.text


@pytest.fixture
def private_umask() -> Iterator[None]:
    """As the service has it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_the_node_exporter_may_read_the_file(
    tmp_path: Path, report: Report, private_umask: None
) -> None:
    path = tmp_path / "mien.prom"
    for _ in range(2):
        PrometheusFile(path)(report)
        assert path.stat().st_mode & 0o777 == 0o644
