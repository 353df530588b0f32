"""The health report in Prometheus' words, for ``/metrics`` and as a file for the node exporter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from device.daemon.health import Report
from device.daemon.paths import write_atomically

log = logging.getLogger("mien.health")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ReportCollector(Collector):
    """A report as Prometheus' metrics; what is not known is left out."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        report = self._report
        memory_mb = report["memory_mb"]
        for name, text, value in (
            ("frames_per_second", "frames through the loop", report["fps"]),
            ("uptime_seconds", "since the start of the daemon", report["uptime_s"]),
            ("outbox_events", "events that wait for the broker", report["outbox_depth"]),
            ("temperature_celsius", "hottest processor sensor", report["temperature_c"]),
            ("throttled", "1 while heat or supply slows the processor", report["throttled"]),
            ("load1", "run queue of the last minute", report["load"]),
            ("resident_memory_bytes", "of the daemon", memory_mb and round(memory_mb * 1e6)),
            ("problem", "1 while something is wrong", report["problem"] is not None),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"mien_{name}", text, value)
        for key, value in report["counts"].items():
            yield CounterMetricFamily(f"mien_{key}", "since the start", value)
        stages = GaugeMetricFamily(
            "mien_stage_seconds", "time of a stage of the loop", labels=("stage", "percentile")
        )
        for stage, times in report["stages"].items():
            stages.add_metric((stage, "50"), times["p50_ms"] / 1e3)
            stages.add_metric((stage, "95"), times["p95_ms"] / 1e3)
        yield stages
        facts = {"version": report["version"], "detector": report["detector"]}
        facts |= {f"model_{key}": value for key, value in report["model"].items()}
        yield InfoMetricFamily("mien", "what runs", {k: str(v) for k, v in facts.items()})


def render(report: Report) -> str:
    """The report in Prometheus' text format."""
    return generate_latest(ReportCollector(report).registry).decode()


class PrometheusFile:
    """Writes each report to a file that everybody may read: the node exporter is another user.

    Args:
        path: for the node exporter's textfile collector, ``something.prom``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complained = False

    def __call__(self, report: Report) -> None:
        """Replaces the file as a whole."""
        try:
            write_atomically(self._path, render(report).encode(), for_all=True)
            self._complained = False
        except OSError as error:
            if not self._complained:
                log.warning(
                    "health.prometheus_file = %s: %s; the service may write below /run/mien; "
                    "health.prometheus_port needs no file",
                    self._path,
                    error.strerror,
                )
            self._complained = True
