"""Generators without the rest of the program, in every backend: `python -m benchmarks.engines --out engines.json`.

Measures every style at every size it is offered in, and the generators without shipped weights, for one face and four.
Runs from a checkout with only PyTorch and NumPy installed. On a CUDA GPU: eager FP32 (the reference, without TF32),
eager FP16 channels last, the same as a CUDA graph, that with input and output conversion and copies (I/O),
torch.compile(max-autotune) FP16, and TensorRT FP16 if torch_tensorrt is installed. On a CPU: eager FP32, and OpenVINO
FP32 and BF16 if installed.

With --peers, published generators are measured beside this project's two networks, on one face. The calls of all of
them alternate, and the ratios are of medians. Only time is compared: the published ones have random weights.

Times are of single calls after a burn-in; the backends take turns, so that other load affects all of them equally.
`error_max` and `error_mean` are absolute differences from the reference in levels of 255.

Exit code 1 if an available backend fails, or exceeds the tolerances of calibration (mean error and PSNR); the last
lines name it. 2 for invalid options.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict
from typing import Any

import torch

from benchmarks.common.arguments import REPEATABLE, Parser, number, run_main, whole
from benchmarks.common.machine_info import header, machine, table, three_digits
from benchmarks.engine_matrix import checkout_jobs
from benchmarks.engine_matrix.measurement import Row, measure
from engines.build.cpu_contention import CpuContention
from engines.errors import OptionsError
from engines.files import write_json
from engines.runtime.base import usable_cores

# Maximum of the mean error in levels of 255 and minimum of the PSNR in dB. FP32 differs by rounding only.
TOLERANCES = {"half": (0.5, 40.0), "full": (0.05, 80.0)}
_MAX_S = 3600.0
_MAX_CONTENTION = 0.05  # share of the cores used by other programs


def failure(row: Row, *, tolerances: bool = True) -> str:
    """Describe how an available backend fails or exceeds the tolerances; empty if it does not."""
    if row.failed:
        return "" if row.unavailable else f"{row}: {row.failed}"
    if row.error_mean is None:
        return f"{row}: there is no FP32 reference to compare with"
    max_mean, min_db = TOLERANCES["full" if "fp32" in row.backend else "half"]
    if tolerances and (row.error_mean > max_mean or (row.psnr_db is not None and row.psnr_db < min_db)):
        found = f"mean {row.error_mean:g} of 255, PSNR {row.psnr_db} dB"
        return f"{row}: too far from FP32: {found}; maximum {max_mean:g}, minimum {min_db:g} dB"
    return ""


def device_info(device: str) -> dict[str, Any]:
    """Return a description of the device that is measured."""
    about: dict[str, Any] = {"device": device, "threads": torch.get_num_threads()}
    if device == "cuda":
        found = torch.cuda.get_device_properties(0)
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        about |= {"gpu": found.name, "capability": f"{found.major}.{found.minor}", "gpu_gb": found.total_memory / 2**30}
        about |= {"cuda": torch.version.cuda, "cudnn": cudnn}
    return about


def report(rows: list[Row]) -> str:
    """Format the rows as a table, followed by the reasons of rows without results."""
    names = ["style", "size", "faces", "GMAC", "M weights", "backend", "median ms", "p95 ms", "calls", "x FP32"]
    names += ["x ours", "max/255", "mean/255", "PSNR dB"]
    cells = []
    for row in rows:
        name = f"{row.name} (random weights)" if row.fresh else row.name
        cost = [three_digits(row.gmac), three_digits(row.parameters / 1e6)]
        times = [*map(three_digits, (row.median_ms, row.p95_ms)), row.calls]
        numbers = (row.faster, row.x_ours, row.error_max, row.error_mean, row.psnr_db)
        cells.append([name, row.size, row.faces, *cost, row.backend, *times, *map(three_digits, numbers)])
    failed = [f"{row}: {row.failed}" for row in rows if row.failed]
    return "\n".join([table(names, cells), *failed])


def _parser() -> Parser:
    parser, cores = Parser("engines", __doc__), usable_cores()
    several = f"{REPEATABLE}; default: all"
    add = parser.add_argument
    parser.add_file("--out", required=True)
    add("--style", action="append", default=[], help=f"name of a style or generator; {several}")
    add("--size", action="append", default=[], help=f"as in 256x256; {several}")
    add("--faces", type=int, action="append", choices=(1, 2, 3, 4), help="faces per call (default: 1, 4; for peers 1)")
    add("--seconds", type=number(0.01, _MAX_S), default=2.0, help="for each backend (default: 2)")
    add("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    add("--threads", type=whole(1, cores), default=cores, help="of PyTorch and of OpenVINO (default: all cores)")
    add("--peers", action="store_true", help="published generators beside this project's")
    return parser


def main() -> int:
    """Measure, print a table, write JSON after each generator, and return the exit code."""
    options = _parser().parse()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise OptionsError("--device cuda", "PyTorch finds no NVIDIA GPU", "use --device cpu")
    offered = list(checkout_jobs.peers() if options.peers else checkout_jobs.jobs())
    jobs = checkout_jobs.chosen(offered, options.style, options.size)
    torch.set_num_threads(options.threads)
    device = device_info(options.device)
    about = {**machine(), **device}
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = False, True
    print(header(about), *(f"{name} {value}" for name, value in device.items()), sep=", ")
    rows: list[Row] = []
    groups = [jobs] if options.peers else [[job] for job in jobs]
    counts = dict.fromkeys(options.faces or ((1,) if options.peers else (1, 4)))
    with CpuContention() as contention:
        for group, faces in itertools.product(groups, counts):
            rows += measure(group, faces, options.device, seconds=options.seconds, threads=options.threads)
            found = {"machine": about, "tolerances": TOLERANCES, "rows": [asdict(row) for row in rows]}
            write_json("--out", options.out, found)
    print(report(rows))
    if contention.cores is not None and contention.cores > _MAX_CONTENTION * usable_cores():
        print(f"other programs used {contention.cores:.1f} of {usable_cores()} cores: measure again without them")
    failures = [text for row in rows if (text := failure(row, tolerances=not options.peers))]
    for text in failures:
        print(f"FAILED: {text}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(run_main("engines", main))
