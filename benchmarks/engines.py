"""The generators alone, in every runtime and precision here: `python -m benchmarks.engines --out engines.json`.

Every style at every size that it is offered in, and the generators without shipped weights; one face and four. It
runs from a bare checkout: PyTorch and NumPy are enough, nothing is installed and nothing fetched. On a CUDA GPU:
eager FP32 (the reference, without TF32), eager FP16 channels last, that as a CUDA graph with fixed buffers, the same
with its door (bytes in, bytes out, both copies), torch.compile(max-autotune) FP16, and TensorRT FP16 where
torch_tensorrt is installed. On a CPU: eager FP32, and OpenVINO FP32 and BF16 where it is installed.

Times are of one call, after a burn-in, with the device idle before and after; the median counts.

Exit code 1 where a way fails that this machine has, or is further from FP32 than the limits allow (mean and PSNR, as
calibration asks of half precision); lines at the end say which. 2 where the words are wrong.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, check_writable, ended, number, write_text
from benchmarks.common.machine_info import processor
from benchmarks.engine_matrix.checkout_jobs import Job, chosen, picture
from benchmarks.engine_matrix.engine_runtimes import AbsentError, Way, cpu_ways, cuda_ways, first_line
from engines.errors import OptionsError

Array = NDArray[np.float32]
# Mean difference from FP32 of 255, and PSNR in dB: as calibration asks of half precision; FP32 only adds up otherwise.
LIMITS = {"half": (0.5, 40.0), "full": (0.05, 80.0)}
_MOST_S = 3600.0


@dataclass
class Row:
    """One generator, one size, one number of faces, one way to run it.

    Attributes:
        error_max, error_mean: against eager FP32 on the same device, of 255.
        psnr_db: likewise; None where there is no difference.
        faster: times as fast as eager FP32 on the same device.
        failed: why there are no numbers.
        absent: whether that is because this machine lacks what it needs.
    """

    name: str
    generator: str
    fresh: bool
    size: str
    faces: int
    gmac: float
    way: str
    median_ms: float | None = None
    p95_ms: float | None = None
    calls: int = 0
    ready_s: float | None = None
    error_max: float | None = None
    error_mean: float | None = None
    psnr_db: float | None = None
    faster: float | None = None
    failed: str = ""
    absent: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.size} x{self.faces} {self.way}"


def measure(job: Job, faces: int, device: str, seconds: float) -> list[Row]:
    """All ways to run one generator; the first is the reference."""
    regions = picture(faces, job.size_wh)
    ways = (cuda_ways if device == "cuda" else cpu_ways)(job.net, faces, job.size_wh)
    work = _gmac(job)
    rows: list[Row] = []
    reference: Array | None = None
    for way in ways:
        row = Row(job.name, job.generator, job.fresh, job.size, faces, work, way.name)
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
        try:
            answer = _measured(way, regions, device, seconds, row)
        except AbsentError as error:
            row.failed, row.absent = str(error), True
            continue
        except Exception as error:  # a way that this machine lacks must not cost the numbers of the others
            row.failed = f"{type(error).__name__}: {first_line(error)}"
            continue
        reference = answer if way is ways[0] else reference
        _compared(row, answer, reference)
        if row.median_ms and rows[0].median_ms:
            row.faster = rows[0].median_ms / row.median_ms
    return rows


def _measured(way: Way, regions: NDArray[np.uint8], device: str, seconds: float, row: Row) -> Array:
    started_s = time.perf_counter()
    run, answer = way.open(regions)
    run()
    _idle(device)
    row.ready_s = round(time.perf_counter() - started_s, 3)
    for_at_least(run, device, seconds / 4, at_least=10 if device == "cuda" else 2)  # burn-in
    took_ms = for_at_least(run, device, seconds, at_least=50 if device == "cuda" else 5)
    row.calls = len(took_ms)
    row.median_ms, row.p95_ms = (round(float(np.percentile(took_ms, part)), 4) for part in (50, 95))
    return answer()


def for_at_least(run: Callable[[], object], device: str, seconds: float, *, at_least: int) -> list[float]:
    """Milliseconds of each call, for some time."""
    took_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or len(took_ms) < at_least:
        _idle(device)
        started_s = time.perf_counter()
        run()
        _idle(device)
        took_ms.append((time.perf_counter() - started_s) * 1e3)
    return took_ms


def _idle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _compared(row: Row, answer: Array, reference: Array | None) -> None:
    if not np.isfinite(answer).all():
        row.failed = "NaN or infinity in the answer"
    if row.failed or reference is None:
        return
    off = np.abs(answer.astype(np.float64) - reference)
    mean_square = float((off**2).mean())
    row.error_max, row.error_mean = round(float(off.max()), 4), round(float(off.mean()), 5)
    if mean_square > 0:
        row.psnr_db = round(float(10 * np.log10(255.0**2 / mean_square)), 2)


def wrong(row: Row) -> str:
    """What a way of this machine does wrong: it fails, or is too far from FP32; empty where there is nothing."""
    if row.failed:
        return "" if row.absent else f"{row}: {row.failed}"
    if row.error_mean is None:
        return f"{row}: there is no FP32 to hold it against"
    most_mean, least_db = LIMITS["full" if "fp32" in row.way else "half"]
    if row.error_mean > most_mean or (row.psnr_db is not None and row.psnr_db < least_db):
        found = f"mean {row.error_mean:g} of 255, PSNR {row.psnr_db} dB"
        return f"{row}: too far from FP32: {found}; at most {most_mean:g} and at least {least_db:g} dB are asked"
    return ""


def _gmac(job: Job) -> float:
    from engines.training.metrics.model_cost import gmac

    return round(gmac(job.net, job.size_wh), 4)


def machine(device: str) -> dict[str, Any]:
    """What it was measured on."""
    about: dict[str, Any] = {
        "device": device,
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    if device == "cuda":
        found = torch.cuda.get_device_properties(0)
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        about |= {"gpu": found.name, "capability": f"{found.major}.{found.minor}", "gpu_gb": found.total_memory / 2**30}
        about |= {"cuda": torch.version.cuda, "cudnn": cudnn}
    return about


def table(rows: list[Row]) -> str:
    """The rows for a person."""
    names = ["style", "size", "faces", "GMAC", "way", "median ms", "p95 ms", "x FP32", "max/255", "mean/255", "PSNR dB"]
    cells = [names]
    for row in rows:
        name = f"{row.name} (fresh)" if row.fresh else row.name
        begin = [name, row.size, str(row.faces), f"{row.gmac:.3f}", row.way]
        numbers = (row.median_ms, row.p95_ms, row.faster, row.error_max, row.error_mean, row.psnr_db)
        shown = ["-" if number is None else f"{number:.3f}" for number in numbers]
        cells.append([*begin, *shown])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    failed = [f"{row}: {row.failed}" for row in rows if row.failed]
    return "\n".join([*lines, *failed])


def main() -> int:
    """Measure, print a table, write JSON after every generator, so that nothing is lost half-way; the exit code."""
    parser = Parser("engines", __doc__)
    several = "may be given several times; all if not given"
    parser.add_argument("--out", type=Path, required=True, help="write JSON there")
    parser.add_argument("--style", action="append", default=[], help=several)
    parser.add_argument("--size", action="append", default=[], help=f"as in 256x256; {several}")
    parser.add_argument("--faces", type=int, action="append", choices=(1, 2, 3, 4), help="1 and 4 if not given")
    parser.add_argument("--seconds", type=number(0.01, _MOST_S), default=2.0, help="for each way (default: 2)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    wanted = parser.parse_args()
    check_writable("--out", wanted.out)
    if wanted.device == "cuda" and not torch.cuda.is_available():
        raise OptionsError("--device cuda", "PyTorch sees no NVIDIA GPU here", "use --device cpu")
    asked, about = chosen(wanted.style, wanted.size), machine(wanted.device)
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = False, True
    print(", ".join(f"{name} {value}" for name, value in about.items() if value is not None))
    rows: list[Row] = []
    for job in asked:
        for faces in dict.fromkeys(wanted.faces or (1, 4)):
            rows += measure(job, faces, wanted.device, wanted.seconds)
            found = {"machine": about, "limits": LIMITS, "rows": [asdict(row) for row in rows]}
            write_text("--out", wanted.out, json.dumps(found, indent=1) + "\n")
    print(table(rows))
    complaints = [line for row in rows if (line := wrong(row))]
    print(*(f"WRONG: {line}" for line in complaints), sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(ended("engines", main))
