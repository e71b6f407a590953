"""Rates, percentiles and the report's figures."""

from __future__ import annotations

import numpy as np
import pytest

from live.pipeline.timing import Histogram, Timings


def test_rate_counts_intervals_not_stamps() -> None:
    timings = Timings()
    for index in range(200):
        timings.sent(captured_s=99.99 + index / 30, now_s=100 + index / 30)
    assert timings.recent() == pytest.approx((30.0, 10.0, 10.0))


def test_rate_is_zero_for_one_stamp() -> None:
    timings = Timings()
    assert timings.recent() == (0.0, 0.0, 0.0)
    timings.sent(captured_s=5.0, now_s=5.25)
    assert timings.recent() == (0.0, 250.0, 250.0)


def test_percentiles_agree_with_numpy() -> None:
    times_ms = np.random.default_rng(1).gamma(2.0, 4.0, 5000)
    histogram = Histogram()
    for ms in times_ms:
        histogram.add(float(ms))
    for q in (50, 95, 99):
        assert histogram.percentile(q) == pytest.approx(np.percentile(times_ms, q), abs=0.05)


def test_durations_beyond_the_scale_are_counted() -> None:
    histogram = Histogram()
    for ms in (-1.0, 1e9, 5.0):
        histogram.add(ms)
    assert histogram.count == 3
    assert histogram.percentile(99) >= 1999


def test_the_report_counts_intervals_and_latency() -> None:
    timings = Timings()
    for index in range(11):
        timings.sent(captured_s=index / 10 - 0.02, now_s=index / 10)
    report = timings.report()
    assert report["frames_out"] == 11
    assert report["fps"] == pytest.approx(10.0)
    assert timings.report()["latency_ms"]["p50"] == pytest.approx(20.0, abs=0.1)
    timings.restart()
    assert timings.report()["frames_out"] == 0
