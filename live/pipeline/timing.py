"""Durations of the stages, latency, and frames per second."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np

STAGES = ("track", "region", "generate", "composite", "send")
_BIN_MS = 0.02
_BINS = 100_000  # up to 2 s; the last bin holds all longer durations


class Histogram:
    """Durations in milliseconds in bins of 0.02 ms, for percentiles in constant memory."""

    def __init__(self) -> None:
        self._bins = np.full(_BINS, 0, np.int64)  # np.zeros would allocate its pages during the run
        self.count, self.total_ms = 0, 0.0

    def add(self, ms: float) -> None:
        """Count one duration in milliseconds."""
        self._bins[int(min(max(ms / _BIN_MS, 0), _BINS - 1))] += 1
        self.count += 1
        self.total_ms += ms

    def percentile(self, q: float) -> float:
        """Return the `q`-th percentile in milliseconds; 0.0 if nothing was counted."""
        if not self.count:
            return 0.0
        at = int(np.searchsorted(np.cumsum(self._bins), self.count * q / 100.0))
        return round((min(at, _BINS - 1) + 0.5) * _BIN_MS, 3)

    def summary(self) -> dict[str, float]:
        """Return p50, p95 and p99 in milliseconds."""
        return {f"p{q}": self.percentile(q) for q in (50, 95, 99)}


class Timings:
    """The measurements of one run; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Discard all measurements, for example after the warm-up of a benchmark."""
        with self._lock:
            self._stages = {stage: Histogram() for stage in STAGES}
            self._latency = Histogram()
            self._recent_stages: dict[str, deque[float]] = {stage: deque(maxlen=60) for stage in STAGES}
            self._recent: deque[tuple[float, float]] = deque(maxlen=120)  # time of sending in s, latency in ms
            self._first_out_s = self._last_out_s = 0.0
            self.frames_in = self.frames_out = self.faces_found = 0

    def stage(self, name: str, ms: float) -> None:
        """Count the duration of one stage for one frame, in milliseconds."""
        with self._lock:
            self._stages[name].add(ms)
            self._recent_stages[name].append(ms)

    def sent(self, *, captured_s: float, now_s: float) -> None:
        """Count a new frame that was sent to the first sink at `now_s` (monotonic seconds)."""
        with self._lock:
            latency_ms = (now_s - captured_s) * 1e3
            self._latency.add(latency_ms)
            self._recent.append((now_s, latency_ms))
            self._first_out_s = self._first_out_s if self.frames_out else now_s
            self._last_out_s = now_s
            self.frames_out += 1

    def stage_seconds(self) -> dict[str, float]:
        """Return the seconds spent in each stage; stages overlap."""
        with self._lock:
            return {name: histogram.total_ms / 1e3 for name, histogram in self._stages.items()}

    @property
    def fps(self) -> float:
        """Frames sent per second over the whole run, counted by intervals."""
        with self._lock:
            lasted_s = self._last_out_s - self._first_out_s
            return (self.frames_out - 1) / lasted_s if self.frames_out > 1 and lasted_s > 0 else 0.0

    def recent(self) -> tuple[float, float, float]:
        """Return frames per second, and p50 and p95 of the latency in milliseconds, over the last seconds."""
        with self._lock:
            sent_s, latency_ms = np.array(self._recent or [(0.0, 0.0)]).T
        lasted_s = sent_s[-1] - sent_s[0]
        p50, p95 = np.percentile(latency_ms, (50, 95))
        return float((len(sent_s) - 1) / lasted_s) if lasted_s > 0 else 0.0, float(p50), float(p95)

    def recent_stages(self) -> dict[str, float]:
        """Return the median duration of each stage in milliseconds, over the last seconds; 0.0 if it did not run."""
        with self._lock:
            recent = {name: list(durations_ms) for name, durations_ms in self._recent_stages.items()}
        return {name: round(float(np.median(values)), 2) if values else 0.0 for name, values in recent.items()}

    def report(self) -> dict[str, Any]:
        """Return the measurements for the run's report."""
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
