"""The health report: every so often to MQTT and to a Prometheus file; the page asks for one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from device import __version__
from device.daemon.board import Board
from device.daemon.metrics import Metrics

log = logging.getLogger("mien.health")

Report = Mapping[str, Any]
FIRST_AFTER_S = 2.0  # soon after the start, so that people see that it is there


def collect(
    metrics: Metrics, facts: Mapping[str, Any], board: Board, uptime_s: float, now_s: float
) -> Report:
    """One report, as ``schemas/health.json`` describes it (without the envelope).

    Args:
        metrics: of the loop.
        facts: what the report has as it is; ``counts`` are added to those of the loop.
        board: temperature and the like.
        uptime_s: since the start of the daemon.
        now_s: monotonic.
    """
    counted = metrics.counts()
    return {
        **facts,
        "uptime_s": int(uptime_s),
        "fps": round(metrics.frames_per_second(now_s), 2),
        "counts": {
            "frames": counted.get("frames", 0),
            "failed_frames": counted.get("failed_frames", 0),
            **facts["counts"],
        },
        "stages": metrics.stage_times_ms(),
        **asdict(board.read()),
        "version": __version__,
    }


class HealthReporter:
    """A thread that reports; its own, because the board's files can be slow.

    Args:
        metrics: of the loop.
        facts: asked at every report, see ``collect``.
        board: temperature and the like.
        tell: who gets each report.
        interval_s: between reports.
        clock: monotonic.
    """

    def __init__(
        self,
        metrics: Metrics,
        facts: Callable[[], Mapping[str, Any]],
        board: Board,
        tell: Sequence[Callable[[Report], None]],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics, self._facts, self._board, self._tell = metrics, facts, board, tell
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
        wait_s = min(FIRST_AFTER_S, self._interval_s)
        while True:
            self._soon.wait(wait_s)
            self._soon.clear()  # before the look at what ``close`` sets first, so that none is lost
            if self._closing.is_set():
                return
            self._report()
            wait_s = self._interval_s

    def read(self) -> Report:
        """A report made now, for whoever asks; from any thread."""
        now_s = self._clock()
        uptime_s = now_s - self._started_s
        return collect(self._metrics, self._facts(), self._board, uptime_s, now_s)

    def _report(self) -> None:
        try:
            report = self.read()
            for tell in self._tell:
                tell(report)
        except Exception as error:  # the governor's temperature and the heartbeat hang on it
            cause = f"{type(error).__name__}: {error}"
            if cause not in self._told:
                self._told.add(cause)
                log.exception("no health report: %s", cause)
