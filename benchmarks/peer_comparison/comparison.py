"""What `benchmarks.peers` measures: every network in every runtime, in one run, and the ratios between them."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.common.machine_info import table
from benchmarks.peer_comparison.interleaved_timing import in_turns
from benchmarks.peer_comparison.peer_networks import OURS, PEERS, Made, made, regions_bgr
from benchmarks.peer_comparison.peer_runtimes import RUNTIMES, Ways, reason
from engines.build.cpu_contention import CpuContention

_NAMES = (
    "network", "weights", "region", "GMAC", "M weights", "runtime",
    "median ms", "p95 ms", "calls", "x ours", "x torch", "off",
)  # fmt: skip


@dataclass
class Row:
    """One network in one runtime.

    Attributes:
        calls: that were timed.
        x_ours: its median over that of our network in the same runtime.
        x_torch: the median of eager PyTorch FP32 on the same device over its own.
        off_mean: from the first runtime's answer for the same network, of 255.
        failed: why there are no numbers.
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
    off_mean: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Comparison:
    """One run.

    Attributes:
        rows: by runtime, then by network.
        whole: whether it ran to its end.
        others_cores: how many cores other programs kept busy meanwhile; None where the system does not say.
    """

    rows: list[Row]
    whole: bool
    others_cores: float | None


def compare(nets: Sequence[str], runtimes: Sequence[str], *, seconds: float, threads: int) -> Comparison:
    """All networks in all runtimes.

    Args:
        nets: of `PEERS`.
        runtimes: of `RUNTIMES`, usable here.
        seconds: of timing, after everything is ready.
        threads: for PyTorch and for OpenVINO.

    Raises:
        VeneerError: no portrait, or no face model.
    """
    cut = regions_bgr()
    rows: dict[tuple[str, str], Row] = {}
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    with _settings(threads):
        for name in nets:
            started_s = time.perf_counter()
            peer = PEERS[name]
            for row, call in _opened(made(peer, cut[peer.region, peer.size_wh]), runtimes, threads):
                rows[name, row.runtime] = row
                if call is not None:
                    calls[name, row.runtime] = call
            print(f"{name} ready after {time.perf_counter() - started_s:.1f} s", file=sys.stderr, flush=True)
        print(f"{len(calls)} calls in turns for {seconds:g} s", file=sys.stderr, flush=True)
        with CpuContention() as others:
            took_ms, whole = in_turns(calls, seconds=seconds)
    for key, times_ms in took_ms.items():
        _sum_up(rows[key], times_ms)
    _relate(rows)
    return Comparison([rows[name, runtime] for runtime in runtimes for name in nets], whole, others.cores)


def _opened(one: Made, runtimes: Sequence[str], threads: int) -> Iterator[tuple[Row, Callable[[], object] | None]]:
    """One network made ready in each runtime, its answer held against the first one's; what to time, if it runs."""
    ways, peer = Ways(one.net, one.region_bgr, threads, one.peer.own), one.peer
    size = f"{peer.size_wh[0]}x{peer.size_wh[1]}"
    reference = None
    for runtime in runtimes:
        row = Row(peer.name, peer.weights, peer.region, size, round(one.gmac, 4), one.parameters, runtime)
        try:
            call, answer = ways.open(runtime)
            answer_bgr = answer().astype(np.float64)
            if not np.isfinite(answer_bgr).all():
                raise ValueError("NaN or infinity in the answer")
        except Exception as error:  # a network that a runtime cannot run must not cost the others their numbers
            row.failed = reason(error)
            yield row, None
            continue
        reference = answer_bgr if reference is None else reference
        row.off_mean = round(float(np.abs(answer_bgr - reference).mean()), 4)
        yield row, call


@contextlib.contextmanager
def _settings(threads: int) -> Iterator[None]:
    """So many threads for PyTorch; on a GPU true FP32, and the fastest kernels that cuDNN finds."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)


def _sum_up(row: Row, took_ms: Sequence[float]) -> None:
    row.calls = len(took_ms)
    if took_ms:
        row.median_ms, row.p95_ms = (round(float(np.percentile(took_ms, part)), 4) for part in (50, 95))
    else:
        row.failed = "stopped before it was timed"


def _relate(rows: dict[tuple[str, str], Row]) -> None:
    for (name, runtime), row in rows.items():
        ours, eager = rows.get((OURS, runtime)), rows.get((name, RUNTIMES[runtime]))
        if row.median_ms and ours and ours.median_ms:
            row.x_ours = round(row.median_ms / ours.median_ms, 6)
        if row.median_ms and eager and eager.median_ms:
            row.x_torch = round(eager.median_ms / row.median_ms, 6)


def printed(rows: Sequence[Row]) -> str:
    """The rows for a person."""
    cells = []
    for row in rows:
        cost = [f"{row.region} {row.size}", _short(row.gmac), _short(row.parameters / 1e6)]
        times = [_short(row.median_ms), _short(row.p95_ms), str(row.calls)]
        ratios = [_short(row.x_ours), _short(row.x_torch), "-" if row.off_mean is None else f"{row.off_mean:.2f}"]
        cells.append([row.net, row.weights, *cost, row.runtime, *times, *ratios])
    failed: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.failed:
            failed.setdefault((row.runtime, row.failed), []).append(row.net)
    lines = [
        f"{', '.join(nets)} {'does' if len(nets) == 1 else 'do'} not run in {runtime}: {why}"
        for (runtime, why), nets in failed.items()
    ]
    return "\n".join([table(_NAMES, cells), *lines])


def _short(number: float | None) -> str:
    """Three digits, as in 0.123, 1.23, 12.3, 123 and 1234."""
    if number is None:
        return "-"
    digits = 2 - math.floor(math.log10(abs(number))) if number else 0
    return f"{number:.{min(max(digits, 0), 4)}f}"
