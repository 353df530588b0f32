"""The health report for Prometheus: a text file for the node exporter, or an endpoint on loopback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from device.daemon.paths import write_atomically
from device.errors import ConfigurationError
from device.settings.tree import Health

log = logging.getLogger("mien.health")

LOOPBACK = "127.0.0.1"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
GAUGES = {
    "fps": ("mien_frames_per_second", "frames through the loop"),
    "uptime_s": ("mien_uptime_seconds", "since the start of the daemon"),
    "outbox_depth": ("mien_outbox_events", "events that wait for the broker"),
    "temperature_c": ("mien_temperature_celsius", "hottest processor sensor"),
    "throttled": ("mien_throttled", "1 while heat or supply slows the processor"),
    "load": ("mien_load1", "run queue of the last minute"),
}


def render(report: Mapping[str, Any]) -> str:
    """The report in Prometheus' text format; what is not known is left out."""
    return "".join(_lines(report))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    for key, (name, text) in GAUGES.items():
        if report[key] is not None:
            yield from _head(name, text, "gauge")
            yield f"{name} {float(report[key]):g}\n"
    if report["memory_mb"] is not None:
        yield from _head("mien_resident_memory_bytes", "of the daemon", "gauge")
        yield f"mien_resident_memory_bytes {report['memory_mb'] * 1e6:.0f}\n"
    yield from _head("mien_problem", "1 while something is wrong", "gauge")
    yield f"mien_problem {int(report['problem'] is not None)}\n"
    for key, value in report["counts"].items():
        yield from _head(f"mien_{key}_total", "since the start", "counter")
        yield f"mien_{key}_total {value}\n"
    yield from _head("mien_stage_seconds", "time of a stage of the loop", "gauge")
    for stage, times in report["stages"].items():
        for quantile, key in (("0.5", "p50_ms"), ("0.95", "p95_ms")):
            labels = f'stage="{_escape(stage)}",quantile="{quantile}"'
            yield f"mien_stage_seconds{{{labels}}} {times[key] / 1e3:g}\n"
    yield from _head("mien_info", "what runs", "gauge")
    model = {f"model_{key}": value for key, value in report["model"].items()}
    facts = {"version": report["version"], "detector": report["detector"], **model}
    labels = ",".join(f'{key}="{_escape(str(value))}"' for key, value in facts.items())
    yield f"mien_info{{{labels}}} 1\n"


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class PrometheusFile:
    """Writes each report to a file.

    Args:
        path: for the node exporter's textfile collector, ``something.prom``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complained = False

    def __call__(self, report: Mapping[str, Any]) -> None:
        """Replaces the file as a whole."""
        try:
            write_atomically(self._path, render(report).encode())
        except OSError as error:
            if not self._complained:
                log.warning("health.prometheus_file = %s: %s", self._path, error.strerror)
            self._complained = True
        else:
            self._complained = False


class PrometheusEndpoint:
    """Serves the newest report on loopback.

    Args:
        port: to listen on.

    Raises:
        ConfigurationError: the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._text = ""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5.0

            def do_GET(self) -> None:
                """The newest report, whatever the path."""
                body = endpoint._text.encode()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Not in the journal."""

        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        except OSError as error:
            raise ConfigurationError(
                f"health.prometheus_port = {port}: cannot listen: {error.strerror}"
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="prometheus", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def __call__(self, report: Mapping[str, Any]) -> None:
        """Takes the newest report."""
        self._text = render(report)

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)


def open_prometheus(
    settings: Health, stack: ExitStack
) -> list[Callable[[Mapping[str, Any]], None]]:
    """Who gets each report, as the settings say.

    Raises:
        ConfigurationError: the port is taken.
    """
    found: list[Callable[[Mapping[str, Any]], None]] = []
    if settings.prometheus_file:
        found.append(PrometheusFile(Path(settings.prometheus_file)))
    if settings.prometheus_port:
        endpoint = PrometheusEndpoint(settings.prometheus_port)
        stack.callback(endpoint.close)
        found.append(endpoint)
    return found
