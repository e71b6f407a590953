"""Measurement of generators in every backend: all are opened, compared with FP32, and timed in turns."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.engine_matrix.checkout_jobs import OURS, Job, picture
from benchmarks.engine_matrix.engine_runtimes import Backend, UnavailableError, backends
from engines.runtime.call_times import summarise, time_in_turns
from engines.text import first_line

Array = NDArray[np.float32]


@dataclass
class Row:
    """One generator at one size, with one number of faces, in one backend; `failed` says why there are no results.

    Attributes:
        fresh: Whether the weights are random.
        ready_s: Seconds to open the backend and make the first call.
        error_max, error_mean, psnr_db: Against eager FP32 on the same device, in levels of 255; PSNR None if equal.
        faster: Median of eager FP32 on the same device divided by this median.
        x_ours: This median divided by that of this project's drawing network in the same backend.
        unavailable: Whether the machine lacks what the backend needs.
    """

    name: str
    generator: str
    fresh: bool
    size: str
    faces: int
    gmac: float
    parameters: int
    backend: str
    median_ms: float | None = None
    p95_ms: float | None = None
    calls: int = 0
    ready_s: float | None = None
    error_max: float | None = None
    error_mean: float | None = None
    psnr_db: float | None = None
    faster: float | None = None
    x_ours: float | None = None
    failed: str = ""
    unavailable: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.size} x{self.faces} {self.backend}"


def measure(jobs: Sequence[Job], faces: int, device: str, *, seconds: float, threads: int) -> list[Row]:
    """Measure the jobs in all backends of a device; the first backend is the reference."""
    from engines.training.metrics.model_cost import gmac, parameters  # imports only PyTorch

    rows: list[Row] = []
    calls: dict[int, Callable[[], object]] = {}  # by the index of the row
    for job in jobs:
        cost = round(gmac(job.net, job.size_wh), 4), parameters(job.net)
        reference: Array | None = None
        for number, backend in enumerate(backends(job.net, faces, job.size_wh, device, threads)):
            row = Row(job.name, job.generator, job.fresh, job.size, faces, *cost, backend.name)
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
            try:
                call, output = _opened(backend, picture(faces, job.size_wh), device, row)
            except UnavailableError as error:
                row.failed, row.unavailable = str(error), True
            except Exception as error:  # a failing backend must not end the measurement of the others
                listed = [line.removeprefix("-- ") for line in str(error).splitlines() if line.startswith("-- ")]
                row.failed = f"{type(error).__name__}: {'; '.join(listed)[:160] or first_line(error)}"
            else:
                reference = reference if number else output
                _compare(row, output, reference)
                if not row.failed:
                    calls[len(rows) - 1] = call
    print(f"timing {len(calls)} backends", file=sys.stderr, flush=True)
    for index, durations_ms in time_in_turns(calls, seconds=seconds).items():
        found = summarise(durations_ms)
        rows[index].calls, rows[index].median_ms, rows[index].p95_ms = len(durations_ms), found.median_ms, found.p95_ms
    _add_ratios(rows)
    return rows


def _opened(
    backend: Backend, regions_bgr: NDArray[np.uint8], device: str, row: Row
) -> tuple[Callable[[], object], Array]:
    """Open a backend; return the function to time, which waits for the device, and the output."""
    started_s = time.perf_counter()
    run, output = backend.open(regions_bgr)

    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize()

    call = run_and_wait if device == "cuda" else run
    call()
    row.ready_s = round(time.perf_counter() - started_s, 3)
    return call, output()


def _compare(row: Row, output: Array, reference: Array | None) -> None:
    if not np.isfinite(output).all():
        row.failed = "the output holds NaN or infinity"
    if row.failed or reference is None:
        return
    error = np.abs(output.astype(np.float64) - reference)
    mean_square = float((error**2).mean())
    row.error_max, row.error_mean = round(float(error.max()), 4), round(float(error.mean()), 5)
    if mean_square > 0:
        row.psnr_db = round(float(10 * np.log10(255.0**2 / mean_square)), 2)


def _add_ratios(rows: Sequence[Row]) -> None:
    medians_ms = {(row.name, row.backend): row.median_ms for row in rows}
    for row in rows:
        eager, ours = (medians_ms.get(key) for key in ((row.name, "eager fp32"), (OURS, row.backend)))
        if row.median_ms and eager:
            row.faster = round(eager / row.median_ms, 4)
        if row.median_ms and ours:
            row.x_ours = round(row.median_ms / ours, 4)
