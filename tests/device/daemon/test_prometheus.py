from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from device.daemon.health import Report
from device.daemon.prometheus import (
    MOST_CONNECTIONS,
    NewestReport,
    PrometheusFile,
    open_prometheus,
    render,
    serve,
)
from device.errors import ConfigurationError
from device.settings.tree import Health
from tests.broker import free_port
from tests.device.daemon.test_health import make_report
from tests.device.mqtt.appliance import wait_until


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


@pytest.fixture
def port(report: Report) -> Iterator[int]:
    with ExitStack() as stack:
        yield serve(0, NewestReport(report), stack)


def fetch(port: int) -> tuple[str, str]:
    """Content type and text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


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


def test_the_endpoint_listens_on_loopback_and_serves_the_newest(report: Report) -> None:
    port = free_port()
    settings = Health(prometheus_port=port)
    with ExitStack() as stack:
        (tell,) = open_prometheus(settings, stack)
        assert fetch(port)[1] == ""  # no report yet
        tell(report)
        content_type, text = fetch(port)
        assert "text/plain" in content_type
        assert "mien_info{" in text
        table = Path("/proc/net/tcp").read_text()
        assert f"0100007F:{port:04X} 00000000:0000 0A" in table
        assert f"00000000:{port:04X}" not in table
        with pytest.raises(ConfigurationError, match=r"prometheus_port"):
            open_prometheus(settings, stack)
    with socket.create_server(("127.0.0.1", port)):
        pass  # it is free again


def test_slow_connections_neither_pile_up_nor_keep_prometheus_out(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(120)
        ]
        for connection in slow[-MOST_CONNECTIONS:]:
            connection.send(b"GET /metr")
        assert "mien_info{" in fetch(port)[1]
        wait_until(lambda: threading.active_count() <= before + MOST_CONNECTIONS, 5.0)
    wait_until(lambda: threading.active_count() <= before, 5.0)
    assert capfd.readouterr() == ("", "")
