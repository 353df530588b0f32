"""Makes what watches the running device, for ``build``: the health report and the governor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from device.daemon.appliance import Appliance
from device.daemon.board import Board
from device.daemon.build_mqtt import BrokerSide
from device.daemon.governor import Governor
from device.daemon.health import HealthReporter, Report
from device.daemon.metrics import Metrics
from device.daemon.use_pace import use_pace
from device.pipeline import find_problem


def govern(device: Appliance) -> None:
    """The pace follows what frames take and what the board says."""
    parts, rate_hz = device.parts, device.settings.camera.frame_rate_hz
    governor = Governor(1 / rate_hz, partial(use_pace, device))
    parts.keep_pace = lambda took_s, now_s: governor.frame(took_s, now_s, parts.camera.dropped)
    device.hear_report = governor.hear


def report_health(
    device: Appliance, metrics: Metrics, broker: BrokerSide, stack: ExitStack
) -> HealthReporter:
    """Begins to report; what it returns also reports at once, and to whoever asks."""
    publisher, outbox, parts = broker.publisher, broker.publisher.outbox, device.parts
    settings = device.settings.health

    def facts() -> dict[str, Any]:
        return {
            "problem": find_problem(parts),
            "model": device.model(),
            "detector": parts.status.detector,
            "pace": device.pace.name,
            "settings": device.settable(),
            "outbox_depth": outbox.depth,
            "counts": {
                "dropped_frames": parts.camera.dropped,
                "dropped_events": outbox.dropped,
                "refused_commands": broker.commands.refused,
                "refused_publications": publisher.num_refused,
            },
        }

    tell: list[Callable[[Report], None]] = [publisher.show_health, device.hear_report]
    if settings.prometheus_file:
        from device.daemon.prometheus import PrometheusFile  # its library is slow to import

        tell.append(PrometheusFile(Path(settings.prometheus_file)))
    reporter = HealthReporter(metrics, facts, Board(), tell, settings.interval_s)
    publisher.when_back(reporter.report_now)  # the last report may say that the broker is away
    reporter.start()
    stack.callback(reporter.close)
    return reporter
