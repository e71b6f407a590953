"""Proof, without a GPU, that every generator builds as a TensorRT FP16 engine: `python -m benchmarks.tensorrt_proof`.

TensorRT-RTX builds engines without a GPU. It cannot be installed beside the other distribution of torch-tensorrt, so
the first run creates an environment in the cache folder. It shares the packages of this Python if PyTorch is the pinned
version there (260 MB); otherwise PyTorch is installed too (1.2 GB in its CPU build, as with
PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; several GB more with the default index). Every generator, at
every size that it is offered in (including the smaller ones of `veneer calibrate machine`), for one face and for four,
must give one engine: every operation has a converter, no layer is in FP32, and the plan is not empty. Styles that
differ in their weights only share an engine here.

Exit code 0: all are proved. 1: at least one is not; the last line names it. 2: TensorRT-RTX is not available, or the
options are invalid; one line gives the reason.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common.arguments import INTERRUPTED, REPEATABLE, Parser
from benchmarks.tensorrt.rtx_environment import NoEnvironmentError, environment
from engines.errors import OptionsError
from engines.files import write_json

if TYPE_CHECKING:
    from benchmarks.engine_matrix.checkout_jobs import Job

ROOT = Path(__file__).resolve().parent.parent
COUNTS = (1, 4)
NOT_PROVED, NOT_AVAILABLE = 1, 2


@dataclass(frozen=True)
class Proof:
    """Result for one generator at one size and number of regions per call.

    `layers` counts before fusion. `wrong` says why it is not proved.
    """

    name: str
    size: str
    count: int
    plan_bytes: int = 0
    build_s: float = 0.0
    layers: int = 0
    fp32_layers: tuple[str, ...] = ()
    wrong: str = ""


def import_without_gpu() -> None:
    """Import torch_tensorrt; without a GPU, replace the functions that query it during the import.

    No engine runs here: the compute capability, that of an RTX 40, only selects converters.
    """
    import torch

    logging.getLogger("torch_tensorrt").setLevel(logging.ERROR)  # warnings about quantisation libraries
    if torch.cuda.is_available():
        import torch_tensorrt

        return
    torch.cuda.get_device_capability = lambda *_, **__: (8, 9)
    torch.cuda.current_device = lambda: 0
    torch.cuda.mem_get_info = lambda *_, **__: (16 << 30, 16 << 30)
    is_file = os.path.isfile
    if torch.version.cuda is None:  # its C++ part needs the CUDA build of PyTorch, and is not needed to build plans
        if not hasattr(torch._C, "_CudaDeviceProperties"):
            setattr(torch._C, "_CudaDeviceProperties", object)  # noqa: B010 - the type stubs always declare it
        os.path.isfile = lambda path: "torchtrt" not in os.path.basename(path) and is_file(path)  # type: ignore  # noqa: PTH119
    try:
        import torch_tensorrt  # noqa: F401
    finally:
        os.path.isfile = is_file


def _versions() -> dict[str, str]:
    from importlib import metadata

    try:
        return {name: metadata.version(name) for name in ("torch", "torch-tensorrt-rtx", "tensorrt-rtx")}
    except metadata.PackageNotFoundError as error:
        raise NoEnvironmentError(f"{error.name} is not installed in {sys.prefix}: omit --here") from None


def _proof(name: str, net: object, size_wh: tuple[int, int], count: int) -> Proof:
    import_without_gpu()
    from engines.runtime.base import NotUsableError
    from engines.runtime.tensorrt.plan_builder import build_plan

    size = f"{size_wh[0]}x{size_wh[1]}"
    try:
        built = build_plan(net, count, size_wh)  # type: ignore[arg-type]
    except (NotUsableError, RuntimeError) as error:
        return Proof(name, size, count, wrong=str(error))
    wrong = f"in FP32: {', '.join(built.fp32_layers)}" if built.fp32_layers else ""
    return Proof(name, size, count, len(built.plan), round(built.build_s, 2), built.layers, built.fp32_layers, wrong)


def _line(proof: Proof) -> str:
    begin = f"{proof.name:<14} {proof.size:>8} x{proof.count}"
    if proof.wrong:
        return f"{begin}  NOT PROVED: {proof.wrong}"
    size = f"{proof.plan_bytes / 1e6:.2f} MB"
    return f"{begin}  one FP16 engine of {proof.layers} layers, plan {size}, built in {proof.build_s:.1f} s"


def main() -> int:
    """Print a line for each engine, write JSON, and return the exit code; see the module docstring."""
    parser = Parser("tensorrt_proof", __doc__)
    several = f"{REPEATABLE}; default: all"
    parser.add_argument("--style", action="append", default=[], help=f"name of a style or generator; {several}")
    parser.add_argument("--size", action="append", default=[], help=f"as in 256x256; {several}")
    parser.add_file("--out")
    parser.add_argument("--environment", type=Path, help="environment with TensorRT-RTX, created if it does not exist")
    parser.add_argument("--here", action="store_true", help="use this Python, which must have TensorRT-RTX")
    try:
        options = parser.parse()
        from benchmarks.engine_matrix import checkout_jobs  # imports PyTorch, which --help does not need

        offered = [*checkout_jobs.jobs(), *checkout_jobs.small_jobs()]
        jobs = checkout_jobs.chosen(offered, options.style, options.size)
        if options.here:
            return _run_here(options.out, jobs)
        from engines import paths  # its requirements are missing in the environment of the proof

        return _run_in(options.environment or paths.cache_dir() / "tensorrt-proof")
    except (NoEnvironmentError, OptionsError, OSError) as error:
        print(error, file=sys.stderr)
        return NOT_AVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED


def _run_in(folder: Path) -> int:
    """Run the same command in the Python of the environment."""
    command = [str(environment(folder)), "-m", "benchmarks.tensorrt_proof", "--here", *sys.argv[1:]]
    code = subprocess.run(command, cwd=ROOT).returncode
    if code < 0:
        print(f"NOT PROVED: building crashed ({signal.Signals(-code).name}) after the last line above")
        return NOT_PROVED
    return code


def _run_here(out: Path | None, jobs: list[Job]) -> int:
    versions, proofs = _versions(), []
    built: dict[tuple[str, str, str, int], Proof] = {}
    for job in jobs:
        for count in COUNTS:
            key = (job.generator, job.arguments, job.size, count)
            same = built.get(key)
            proof = replace(same, name=job.name) if same else _proof(job.name, job.net, job.size_wh, count)
            print(f"{_line(proof)}{f' (for {same.name})' if same else ''}", flush=True)
            built.setdefault(key, proof)
            proofs.append(proof)
    write_json("--out", out, {"versions": versions, "proofs": [asdict(proof) for proof in proofs]})
    failed = [proof for proof in proofs if proof.wrong]
    effort = f"{sum(proof.build_s for proof in built.values()):.0f} s of building"
    print(f"{len(proofs) - len(failed)} of {len(proofs)} proved, {effort}, {versions}")
    if failed:
        print(f"NOT PROVED: {', '.join(f'{proof.name} {proof.size} x{proof.count}' for proof in failed)}")
    return NOT_PROVED if failed or not proofs else 0


if __name__ == "__main__":
    sys.exit(main())
