"""The health report for Prometheus: a text file for the node exporter, or an endpoint on loopback."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.registry import Collector

from device.daemon.health import Report
from device.daemon.paths import write_atomically
from device.errors import ConfigurationError
from device.settings.tree import Health

log = logging.getLogger("mien.health")

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 8
READ_WITHIN_S = 5.0


class NewestReport(Collector):
    """The newest report as Prometheus' metrics; what is not known is left out."""

    def __init__(self, report: Report | None = None) -> None:
        self.report = report
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """None before the first report."""
        report = self.report
        if report is None:
            return
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
    return generate_latest(NewestReport(report).registry).decode()


class PrometheusFile:
    """Writes each report to a file.

    Args:
        path: for the node exporter's textfile collector, ``something.prom``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complained = False

    def __call__(self, report: Report) -> None:
        """Replaces the file as a whole."""
        try:
            write_atomically(self._path, render(report).encode())
            self._complained = False
        except OSError as error:
            if not self._complained:
                log.warning("health.prometheus_file = %s: %s", self._path, error.strerror)
            self._complained = True


class _Server(ThreadingWSGIServer):
    """Serves the newest connections and ends older ones, so that slow ones cannot pile up."""

    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._newest: deque[socket] = deque(maxlen=MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._newest) == MOST_CONNECTIONS:
            with suppress(OSError):  # it has been answered and closed
                self._newest[0].shutdown(SHUT_RDWR)
        self._newest.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: the connection was too slow or broke off."""


class _Handler(WSGIRequestHandler):
    timeout = READ_WITHIN_S

    def log_message(self, *_: Any) -> None:
        """Not in the journal."""


def serve(port: int, newest: NewestReport, stack: ExitStack) -> int:
    """Serves the newest report on loopback until the stack is closed; returns the port.

    Raises:
        ConfigurationError: the port is taken.
    """
    try:
        server = make_server(LOOPBACK, port, make_wsgi_app(newest.registry), _Server, _Handler)
    except OSError as error:
        raise ConfigurationError(
            f"health.prometheus_port = {port}: cannot listen: {error.strerror}"
        ) from error
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    threading.Thread(target=server.serve_forever, name="prometheus", daemon=True).start()
    return server.server_port


def open_prometheus(settings: Health, stack: ExitStack) -> list[Callable[[Report], None]]:
    """Who gets each report, as the settings say.

    Raises:
        ConfigurationError: the port is taken.
    """
    found: list[Callable[[Report], None]] = []
    if settings.prometheus_file:
        found.append(PrometheusFile(Path(settings.prometheus_file)))
    if settings.prometheus_port:
        newest = NewestReport()
        serve(settings.prometheus_port, newest, stack)
        found.append(lambda report: setattr(newest, "report", report))
    return found
