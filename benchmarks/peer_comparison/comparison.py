"""Measurement of every network in every runtime, and the ratios between them."""

from __future__ import annotations

import contextlib
import copy
import random
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from benchmarks.common.machine_info import table, three_digits
from benchmarks.peer_comparison.peer_networks import OURS, PEERS, Peer, regions_bgr
from benchmarks.peer_comparison.peer_runtimes import RUNTIMES, error_text, peer_backends
from calibration.autotune.engine_timing import time_repeatedly
from engines.build.cpu_contention import CpuContention
from engines.training.metrics.model_cost import gmac, parameters
from live.pipeline.frame import ImageU8

_TURN_S = 0.1  # a turn repeats short calls for this time; longer calls are made once
_MIN_ROUNDS = 3
_COLUMNS = ("network", "weights", "region", "GMAC", "M weights", "runtime", "median ms", "p95 ms", "calls")
_RATIO_COLUMNS = ("x ours", "x torch", "error")

Key = TypeVar("Key", bound=Hashable)


@dataclass
class Row:
    """One network in one runtime.

    Attributes:
        x_ours: Median relative to this project's network in the same runtime.
        x_torch: Median of eager PyTorch FP32 on the same device divided by this median.
        error_mean: Mean absolute difference from the output of the first runtime, in levels of 255.
        failed: Why there are no results.
    """

    net: str
    weights: str
    region: str
    size: str
    gmac: float
    parameters: int
    runtime: str
    median_ms: float | None = None
    p95_ms: float | None = None
    calls: int = 0
    x_ours: float | None = None
    x_torch: float | None = None
    error_mean: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Comparison:
    """Rows by runtime, then by network; whether the run was complete; cores used by other programs, if known."""

    rows: list[Row]
    complete: bool
    other_cores: float | None


def compare(nets: Sequence[str], runtimes: Sequence[str], *, seconds: float, threads: int) -> Comparison:
    """Measure the named networks in the named runtimes for a time after preparation."""
    regions = regions_bgr()
    rows: dict[tuple[str, str], Row] = {}
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    with _torch_settings(threads):
        for name in nets:
            started_s = time.perf_counter()
            peer = PEERS[name]
            for row, call in _prepare(peer, regions[peer.region, peer.size_wh], runtimes, threads):
                rows[name, row.runtime] = row
                if call is not None:
                    calls[name, row.runtime] = call
            print(f"{name} ready after {time.perf_counter() - started_s:.1f} s", file=sys.stderr, flush=True)
        print(f"timing {len(calls)} combinations for {seconds:g} s", file=sys.stderr, flush=True)
        with CpuContention() as contention:
            durations_ms, complete = time_in_turns(calls, seconds=seconds if calls else 0.0)
    for key, durations in durations_ms.items():
        rows[key].calls = len(durations)
        if durations:
            rows[key].median_ms, rows[key].p95_ms = (round(float(np.percentile(durations, q)), 4) for q in (50, 95))
        else:
            rows[key].failed = "interrupted before the measurement"
    _add_ratios(rows)
    return Comparison([rows[name, runtime] for runtime in runtimes for name in nets], complete, contention.cores)


def _prepare(
    peer: Peer, region_bgr: ImageU8, runtimes: Sequence[str], threads: int
) -> Iterator[tuple[Row, Callable[[], object] | None]]:
    """Open one network in each runtime and compare the outputs; yields the function to time, or None on failure."""
    net, size = peer.make(), f"{peer.size_wh[0]}x{peer.size_wh[1]}"
    backends = peer_backends(net, peer.size_wh, threads, peer.own)
    cost = round(gmac(copy.deepcopy(net).to("meta"), peer.size_wh), 4), parameters(net)
    reference = None
    for runtime in runtimes:
        row = Row(peer.name, peer.weights, peer.region, size, *cost, runtime)
        try:
            call, output = backends[runtime].open(region_bgr)
            output_bgr = output().astype(np.float64)
            if not np.isfinite(output_bgr).all():
                raise ValueError("the output holds NaN or infinity")
        except Exception as error:  # a failing network must not end the measurement of the others
            row.failed = error_text(error)
            yield row, None
            continue
        reference = output_bgr if reference is None else reference
        row.error_mean = round(float(np.abs(output_bgr - reference).mean()), 4)
        yield row, call


@contextlib.contextmanager
def _torch_settings(threads: int) -> Iterator[None]:
    """Set the threads of PyTorch; on a GPU use true FP32 and the fastest cuDNN kernels."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)


def time_in_turns(calls: Mapping[Key, Callable[[], object]], *, seconds: float) -> tuple[dict[Key, list[float]], bool]:
    """Time calls in rounds of random order, so that other load affects all of them equally.

    Every call is made once untimed. Then each of at least three rounds gives every call one turn. A turn of several
    calls starts with an untimed one, because the previous function has replaced the contents of the caches. Returns
    durations in milliseconds by name, and whether the measurement was complete: Ctrl-C ends it and keeps the completed
    turns.
    """
    durations_ms: dict[Key, list[float]] = {name: [] for name in calls}
    order, rng = list(calls), random.Random(0)
    try:
        typical_ms = {name: time_repeatedly(call, 0.0)[0] for name, call in calls.items()}
        end_s, rounds = time.perf_counter() + seconds, 0
        while rounds < _MIN_ROUNDS or time.perf_counter() < end_s:
            rng.shuffle(order)
            for name in order:
                if rounds >= _MIN_ROUNDS and time.perf_counter() >= end_s:
                    break
                turn_s = 0.0
                if typical_ms[name] < 1e3 * _TURN_S / 2:
                    calls[name]()
                    turn_s = _TURN_S
                turn_ms = time_repeatedly(calls[name], turn_s)
                typical_ms[name] = min(typical_ms[name], *turn_ms)
                durations_ms[name] += turn_ms
            rounds += 1
    except KeyboardInterrupt:
        return durations_ms, False
    return durations_ms, True


def _add_ratios(rows: dict[tuple[str, str], Row]) -> None:
    for (name, runtime), row in rows.items():
        ours, eager = rows.get((OURS, runtime)), rows.get((name, RUNTIMES[runtime]))
        if row.median_ms and ours and ours.median_ms:
            row.x_ours = round(row.median_ms / ours.median_ms, 6)
        if row.median_ms and eager and eager.median_ms:
            row.x_torch = round(eager.median_ms / row.median_ms, 6)


def report(rows: Sequence[Row]) -> str:
    """Format the rows as a table, followed by the networks that do not run."""
    cells = []
    for row in rows:
        cost = [f"{row.region} {row.size}", three_digits(row.gmac), three_digits(row.parameters / 1e6)]
        times = [three_digits(row.median_ms), three_digits(row.p95_ms), str(row.calls)]
        error = "-" if row.error_mean is None else f"{row.error_mean:.2f}"
        ratios = [three_digits(row.x_ours), three_digits(row.x_torch), error]
        cells.append([row.net, row.weights, *cost, row.runtime, *times, *ratios])
    failed: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.failed:
            failed.setdefault((row.runtime, row.failed), []).append(row.net)
    lines = [
        f"{', '.join(nets)} {'does' if len(nets) == 1 else 'do'} not run in {runtime}: {reason}"
        for (runtime, reason), nets in failed.items()
    ]
    return "\n".join([table((*_COLUMNS, *_RATIO_COLUMNS), cells), *lines])
