"""The health report: every so often to MQTT, to a Prometheus file and to its endpoint."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device import __version__
from device.daemon.board import Board
from device.daemon.metrics import Metrics

log = logging.getLogger("mien.health")

Report = Mapping[str, Any]
FIRST_AFTER_S = 2.0  # soon after the start, so that people see that it is there


@dataclass(frozen=True)
class Sources:
    """Where the figures come from; each is asked at every report.

    Attributes:
        metrics: of the loop.
        problem: the most important thing that is wrong.
        model: name, version and sha256 of the network in use.
        detector: kind of the detector in use.
        settings: what can be set over MQTT.
        outbox: depth and drops.
        dropped_frames: replaced by newer ones before the loop took them.
        refused_commands: not carried out.
    """

    metrics: Metrics
    problem: Callable[[], str | None]
    model: Callable[[], Mapping[str, str]]
    detector: Callable[[], str]
    settings: Callable[[], Mapping[str, Any]]
    outbox: Callable[[], tuple[int, int]]
    dropped_frames: Callable[[], int] = lambda: 0
    refused_commands: Callable[[], int] = lambda: 0


def collect(sources: Sources, board: Board, uptime_s: float, now_s: float) -> Report:
    """One report, as ``schemas/health.json`` describes it (without the envelope)."""
    state = board.read()
    depth, dropped_events = sources.outbox()
    counts = sources.metrics.counts()
    return {
        "problem": sources.problem(),
        "uptime_s": int(uptime_s),
        "fps": round(sources.metrics.frames_per_second(now_s), 2),
        "counts": {
            "frames": counts.get("frames", 0),
            "failed_frames": counts.get("failed_frames", 0),
            "dropped_frames": sources.dropped_frames(),
            "dropped_events": dropped_events,
            "refused_commands": sources.refused_commands(),
        },
        "stages": sources.metrics.stage_times_ms(),
        "outbox_depth": depth,
        "temperature_c": state.temperature_c,
        "throttled": state.throttled,
        "throttling": list(state.throttling),
        "memory_mb": state.memory_mb,
        "load": state.load,
        "model": dict(sources.model()),
        "detector": sources.detector(),
        "version": __version__,
        "settings": dict(sources.settings()),
    }


class HealthReporter:
    """A thread that reports; its own, because the board's files can be slow.

    Args:
        sources: where the figures come from.
        board: temperature and the like.
        tell: who gets each report.
        interval_s: between reports.
        clock: monotonic.
    """

    def __init__(
        self,
        sources: Sources,
        board: Board,
        tell: Sequence[Callable[[Report], None]],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources, self._board, self._tell = sources, board, tell
        self._interval_s, self._clock = interval_s, clock
        self._started_s = clock()
        self._told: set[str] = set()
        self._closing = threading.Event()
        self._soon = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Begins to report."""
        self._thread.start()

    def report_now(self) -> None:
        """One report at once, after something was set."""
        self._soon.set()

    def close(self) -> None:
        """Ends the thread."""
        self._closing.set()
        self._soon.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        self._soon.wait(min(FIRST_AFTER_S, self._interval_s))
        while not self._closing.is_set():
            self._soon.clear()
            self._report()
            self._soon.wait(self._interval_s)

    def _report(self) -> None:
        now_s = self._clock()
        try:
            report = collect(self._sources, self._board, now_s - self._started_s, now_s)
            for tell in self._tell:
                tell(report)
        except (OSError, ValueError) as error:  # a file of the board, or of the report
            cause = f"{type(error).__name__}: {error}"
            if cause not in self._told:
                self._told.add(cause)
                log.exception("no health report: %s", cause)
