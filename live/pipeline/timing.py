"""Time that stages take, and frames per second counted over intervals."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

STAGES = ("track", "region", "generate", "composite", "send")
_BIN_MS = 0.02
_BINS = 100_000  # up to 2 s, then everything is "2 s or more"


class Histogram:
    """Durations in milliseconds, in bins of 0.02 ms: exact enough for percentiles, and flat in memory for ever."""

    def __init__(self) -> None:
        self._bins = np.full(_BINS, 0, np.int64)  # written at once: zeros would take its memory page by page later on
        self.count = 0

    def add(self, ms: float) -> None:
        """Count one duration in milliseconds."""
        self._bins[int(min(max(ms / _BIN_MS, 0), _BINS - 1))] += 1
        self.count += 1

    def percentile(self, q: float) -> float:
        """The duration in milliseconds that `q` percent of all do not exceed; 0.0 where none was counted."""
        if not self.count:
            return 0.0
        at = int(np.searchsorted(np.cumsum(self._bins), self.count * q / 100.0))
        return round((min(at, _BINS - 1) + 0.5) * _BIN_MS, 3)

    def summary(self) -> dict[str, float]:
        """p50, p95 and p99 in milliseconds."""
        return {f"p{q}": self.percentile(q) for q in (50, 95, 99)}


class RateMeter:
    """Events per second over the last `span` events, as intervals divided by the time between first and last."""

    def __init__(self, span: int = 60) -> None:
        self._stamps_s: deque[float] = deque(maxlen=span + 1)

    def add(self, now_s: float) -> None:
        """Note an event at monotonic second `now_s`."""
        self._stamps_s.append(now_s)

    def rate(self) -> float:
        """Events per second; 0.0 with fewer than two events."""
        if len(self._stamps_s) < 2:
            return 0.0
        stamps = tuple(self._stamps_s)
        lasted_s = stamps[-1] - stamps[0]
        return (len(stamps) - 1) / lasted_s if lasted_s > 0 else 0.0


class Timings:
    """All that one run measures; written by several threads, read by the meter and the report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Forget all that was measured: the burn-in of a benchmark is over."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._stages = {stage: Histogram() for stage in STAGES}
        self._latency = Histogram()
        self._recent_latency_ms: deque[float] = deque(maxlen=120)
        self._out_rate = RateMeter()
        self._first_out_s: float | None = None
        self._last_out_s = 0.0
        self.frames_in = 0
        self.frames_out = 0
        self.faces_found = 0

    def stage(self, name: str, ms: float) -> None:
        """One stage of one frame took `ms` milliseconds."""
        with self._lock:
            self._stages[name].add(ms)

    def sent(self, *, captured_s: float, now_s: float) -> None:
        """A new frame was handed on at `now_s` (monotonic seconds)."""
        with self._lock:
            latency_ms = (now_s - captured_s) * 1e3
            self._latency.add(latency_ms)
            self._recent_latency_ms.append(latency_ms)
            self._out_rate.add(now_s)
            if self._first_out_s is None:
                self._first_out_s = now_s
            self._last_out_s = now_s
            self.frames_out += 1

    @property
    def fps(self) -> float:
        """Frames handed on per second, over the whole run: intervals, not stamps."""
        with self._lock:
            lasted_s = self._last_out_s - (self._first_out_s or 0.0)
            return (self.frames_out - 1) / lasted_s if self.frames_out > 1 and lasted_s > 0 else 0.0

    def recent(self) -> tuple[float, float, float]:
        """Frames per second, latency p50 and p95 in milliseconds, over the last seconds."""
        with self._lock:
            rate = self._out_rate.rate()
            latencies_ms = np.asarray(self._recent_latency_ms) if self._recent_latency_ms else np.zeros(1)
        p50, p95 = np.percentile(latencies_ms, (50, 95))
        return rate, float(p50), float(p95)

    def report(self) -> dict[str, object]:
        """The numbers of the run's report."""
        fps = self.fps
        with self._lock:
            return {
                "frames_in": self.frames_in,
                "frames_out": self.frames_out,
                "faces_found": self.faces_found,
                "fps": round(fps, 2),
                "latency_ms": self._latency.summary(),
                "stages_ms": {name: histogram.summary() for name, histogram in self._stages.items()},
            }
