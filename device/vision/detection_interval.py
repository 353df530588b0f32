"""The detection interval: short enough for new faces, longer when the board is busy."""

from __future__ import annotations

MAX_INTERVAL_S = 0.3  # a new face is found within this, whatever the load
MAX_SHARE = 0.3  # of the time that detection may take
COST_GAIN = 0.2  # running mean of what a detection costs


class DetectionInterval:
    """Decides frame by frame whether a detection is due."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._cost_s = 0.0
        self._period_s = 0.0
        self._frame_s: float | None = None
        self._detected_s: float | None = None

    @property
    def interval_s(self) -> float:
        """The interval under the present load, s."""
        return min(MAX_INTERVAL_S, max(self._interval_s, self._cost_s / MAX_SHARE))

    def due(self, now_s: float, unconfirmed: bool) -> bool:
        """True when this frame should be searched.

        Args:
            now_s: time of the frame.
            unconfirmed: a face was found once and waits for its second detection.
        """
        if self._frame_s is not None:
            self._period_s = max(0.0, now_s - self._frame_s)
        self._frame_s = now_s
        if self._detected_s is None or unconfirmed or now_s < self._detected_s:
            return True
        # Half a frame early is nearer to the interval than half a frame late.
        return now_s - self._detected_s >= self.interval_s - self._period_s / 2

    def detected(self, now_s: float, cost_s: float) -> None:
        """Notes a detection on the frame of ``now_s`` that took ``cost_s``."""
        first = self._detected_s is None
        self._detected_s = now_s
        self._cost_s += (cost_s - self._cost_s) * (1.0 if first else COST_GAIN)
