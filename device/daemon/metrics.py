"""Counts and stage times of the running pipeline, for health and bench."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

WINDOW = 512  # newest samples a stage keeps


class Metrics:
    """Written by the loop, read by the health thread."""

    def __init__(self, window: int = WINDOW) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, deque[float]] = {}
        self._frames: deque[float] = deque(maxlen=window)
        self._counts: Counter[str] = Counter()
        self._window = window

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Times a block of the loop."""
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            with self._lock:
                self._stages.setdefault(name, deque(maxlen=self._window)).append(took)

    def frame(self, captured_at_s: float) -> None:
        """Counts a frame that entered the pipeline."""
        with self._lock:
            self._frames.append(captured_at_s)
            self._counts["frames"] += 1

    def count(self, name: str, number: int = 1) -> None:
        """Adds to a counter."""
        with self._lock:
            self._counts[name] += number

    def counts(self) -> dict[str, int]:
        """All counters."""
        with self._lock:
            return dict(self._counts)

    def frames_per_second(self, now_s: float, over_s: float = 10.0) -> float:
        """Frames captured in the last ``over_s`` seconds, a second."""
        with self._lock:
            recent = [t for t in self._frames if now_s - t <= over_s]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9)

    def stage_times_ms(self) -> dict[str, dict[str, float]]:
        """``{stage: {"p50_ms", "p95_ms"}}`` over the newest samples."""
        with self._lock:
            samples = {name: list(values) for name, values in self._stages.items()}
        times = {name: np.percentile(values, (50, 95)) * 1e3 for name, values in samples.items()}
        return {
            name: {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}
            for name, (p50, p95) in times.items()
        }
