"""Generators without the rest of the program, in every backend: `python -m benchmarks.engines --out engines.json`.

Measures every style at every size it is offered in, and the generators without shipped weights, for one face and four.
Runs from a checkout with only PyTorch and NumPy installed. On a CUDA GPU: eager FP32 (the reference, without TF32),
eager FP16 channels last, the same as a CUDA graph, that with input and output conversion and copies (I/O),
torch.compile(max-autotune) FP16, and TensorRT FP16 if torch_tensorrt is installed. On a CPU: eager FP32, and OpenVINO
FP32 and BF16 if installed.

Times are of single calls after a burn-in, with the device idle before and after. `error_max` and `error_mean` are
absolute differences from the reference in levels of 255.

Exit code 1 if an available backend fails, or exceeds the tolerances of calibration (mean error and PSNR); the last
lines name it. 2 for invalid options.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.arguments import REPEATABLE, Parser, number, run_main
from benchmarks.common.machine_info import header, machine, table
from benchmarks.engine_matrix.checkout_jobs import Job, chosen, picture
from benchmarks.engine_matrix.engine_runtimes import Backend, UnavailableError, cpu_backends, cuda_backends
from engines.errors import OptionsError
from engines.files import check_writable, write_json
from engines.text import first_line

Array = NDArray[np.float32]
# Maximum of the mean error in levels of 255 and minimum of the PSNR in dB. FP32 differs by rounding only.
TOLERANCES = {"half": (0.5, 40.0), "full": (0.05, 80.0)}
_MAX_S = 3600.0


@dataclass
class Row:
    """One generator at one size, with one number of faces, in one backend; `failed` says why there are no results.

    Attributes:
        fresh: Whether the weights are random.
        ready_s: Seconds to open the backend and make the first call.
        error_max, error_mean, psnr_db: Against eager FP32 on the same device, in levels of 255; PSNR None if equal.
        unavailable: Whether the machine lacks what the backend needs.
    """

    name: str
    generator: str
    fresh: bool
    size: str
    faces: int
    gmac: float
    backend: str
    median_ms: float | None = None
    p95_ms: float | None = None
    calls: int = 0
    ready_s: float | None = None
    error_max: float | None = None
    error_mean: float | None = None
    psnr_db: float | None = None
    faster: float | None = None
    failed: str = ""
    unavailable: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.size} x{self.faces} {self.backend}"


def measure(job: Job, faces: int, device: str, seconds: float) -> list[Row]:
    """Measure all backends of one generator; the first is the reference."""
    regions_bgr = picture(faces, job.size_wh)
    is_cuda = device == "cuda"
    backends = cuda_backends(job.net, faces, job.size_wh) if is_cuda else cpu_backends(job.net)
    from engines.training.metrics.model_cost import gmac  # imports only PyTorch

    cost = round(gmac(job.net, job.size_wh), 4)
    rows: list[Row] = []
    reference: Array | None = None
    for backend in backends:
        row = Row(job.name, job.generator, job.fresh, job.size, faces, cost, backend.name)
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
        try:
            output = _time(backend, regions_bgr, device, seconds, row)
        except UnavailableError as error:
            row.failed, row.unavailable = str(error), True
            continue
        except Exception as error:  # a failing backend must not end the measurement of the others
            row.failed = f"{type(error).__name__}: {first_line(error)}"
            continue
        reference = output if backend is backends[0] else reference
        _compare(row, output, reference)
        if row.median_ms and rows[0].median_ms:
            row.faster = rows[0].median_ms / row.median_ms
    return rows


def _time(backend: Backend, regions_bgr: NDArray[np.uint8], device: str, seconds: float, row: Row) -> Array:
    started_s = time.perf_counter()
    run, output = backend.open(regions_bgr)
    run()
    _synchronize(device)
    row.ready_s = round(time.perf_counter() - started_s, 3)
    is_cuda = device == "cuda"
    time_calls(run, device, seconds / 4, min_calls=10 if is_cuda else 2)  # burn-in
    durations_ms = time_calls(run, device, seconds, min_calls=50 if is_cuda else 5)
    row.calls = len(durations_ms)
    row.median_ms, row.p95_ms = (round(float(np.percentile(durations_ms, part)), 4) for part in (50, 95))
    return output()


def time_calls(run: Callable[[], object], device: str, seconds: float, *, min_calls: int) -> list[float]:
    """Call for a time and at least `min_calls` times; return the durations in milliseconds."""
    durations_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or len(durations_ms) < min_calls:
        _synchronize(device)
        started_s = time.perf_counter()
        run()
        _synchronize(device)
        durations_ms.append((time.perf_counter() - started_s) * 1e3)
    return durations_ms


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


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


def failure(row: Row) -> str:
    """Describe how an available backend fails or exceeds the tolerances; empty if it does not."""
    if row.failed:
        return "" if row.unavailable else f"{row}: {row.failed}"
    if row.error_mean is None:
        return f"{row}: there is no FP32 reference to compare with"
    max_mean, min_db = TOLERANCES["full" if "fp32" in row.backend else "half"]
    if row.error_mean > max_mean or (row.psnr_db is not None and row.psnr_db < min_db):
        found = f"mean {row.error_mean:g} of 255, PSNR {row.psnr_db} dB"
        return f"{row}: too far from FP32: {found}; maximum {max_mean:g}, minimum {min_db:g} dB"
    return ""


def device_info(device: str) -> dict[str, Any]:
    """Return a description of the device that is measured."""
    about: dict[str, Any] = {"device": device, "torch_threads": torch.get_num_threads()}
    if device == "cuda":
        found = torch.cuda.get_device_properties(0)
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        about |= {"gpu": found.name, "capability": f"{found.major}.{found.minor}", "gpu_gb": found.total_memory / 2**30}
        about |= {"cuda": torch.version.cuda, "cudnn": cudnn}
    return about


def report(rows: list[Row]) -> str:
    """Format the rows as a table, followed by the reasons of rows without results."""
    names = ("style", "size", "faces", "GMAC", "backend", "median ms", "p95 ms", "x FP32")
    cells = []
    for row in rows:
        name = f"{row.name} (random weights)" if row.fresh else row.name
        numbers = (row.median_ms, row.p95_ms, row.faster, row.error_max, row.error_mean, row.psnr_db)
        texts = ["-" if value is None else f"{value:.3f}" for value in numbers]
        cells.append([name, row.size, row.faces, f"{row.gmac:.3f}", row.backend, *texts])
    failed = [f"{row}: {row.failed}" for row in rows if row.failed]
    return "\n".join([table((*names, "max/255", "mean/255", "PSNR dB"), cells), *failed])


def _parser() -> Parser:
    parser = Parser("engines", __doc__)
    several = f"{REPEATABLE}; default: all"
    parser.add_argument("--out", type=Path, required=True, help="write the results to this file")
    parser.add_argument("--style", action="append", default=[], help=f"name of a style or generator; {several}")
    parser.add_argument("--size", action="append", default=[], help=f"as in 256x256; {several}")
    parser.add_argument(
        "--faces", type=int, action="append", choices=(1, 2, 3, 4), help="faces per call (default: 1, 4)"
    )
    parser.add_argument("--seconds", type=number(0.01, _MAX_S), default=2.0, help="for each backend (default: 2)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def main() -> int:
    """Measure, print a table, write JSON after each generator, and return the exit code."""
    options = _parser().parse_args()
    check_writable("--out", options.out)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise OptionsError("--device cuda", "PyTorch finds no NVIDIA GPU", "use --device cpu")
    jobs, device = chosen(options.style, options.size), device_info(options.device)
    about = {**machine(), **device}
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = False, True
    print(header(about), *(f"{name} {value}" for name, value in device.items()), sep=", ")
    rows: list[Row] = []
    for job in jobs:
        for faces in dict.fromkeys(options.faces or (1, 4)):
            rows += measure(job, faces, options.device, options.seconds)
            found = {"machine": about, "tolerances": TOLERANCES, "rows": [asdict(row) for row in rows]}
            write_json("--out", options.out, found)
    print(report(rows))
    failures = [text for row in rows if (text := failure(row))]
    for text in failures:
        print(f"FAILED: {text}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(run_main("engines", main))
