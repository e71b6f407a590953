"""Do all generators become TensorRT engines in FP16? Proved without a GPU: `python -m benchmarks.tensorrt_proof`.

TensorRT-RTX builds engines on a machine that has none. It excludes the other distribution of torch-tensorrt, so it
gets an environment of its own in the cache folder, made the first time (1.2 GB on disk where pip finds PyTorch's CPU
build, as with PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; several more with the usual one). Every
generator, at every size it is offered in (the smaller ones of `veneer calibrate machine` too), for one face and for
four, must become one engine: no operation without a converter, no layer left in FP32, a plan that is not empty. What
was proved of the very same weights, sources and versions is not built again, unless --again asks for it.

Exit code 0: all are proved. 1: one is not; the last line names it. 2: TensorRT-RTX cannot be had, or
the words are wrong; one line says why.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common.arguments import Parser, check_writable, write_text
from benchmarks.tensorrt.rtx_environment import NoEnvironmentError, about, environment
from engines.errors import OptionsError

if TYPE_CHECKING:
    from benchmarks.engine_matrix.checkout_jobs import Job

ROOT = Path(__file__).resolve().parent.parent
COUNTS = (1, 4)
NOT_PROVED, NOT_HERE = 1, 2
_KEPT = "proofs.json"


@dataclass(frozen=True)
class Proof:
    """What became of one generator at one size.

    Attributes:
        count: regions in one call.
        layers: before TensorRT fuses them.
        wrong: why it is no proof; empty where it is one.
        kept: it was built by an earlier run, of the very same inputs.
    """

    name: str
    size: str
    count: int
    plan_bytes: int = 0
    build_s: float = 0.0
    layers: int = 0
    fp32_layers: tuple[str, ...] = ()
    wrong: str = ""
    kept: bool = False


@dataclass
class Report:
    """All of them, and what they were built with."""

    versions: dict[str, str]
    proofs: list[Proof] = field(default_factory=list)


def default_folder() -> Path:
    """Beside the program's other caches."""
    from engines import paths

    return paths.cache_dir() / "tensorrt-proof"


def import_without_gpu() -> None:
    """Import torch_tensorrt; where there is no GPU, answer what it asks of one on the way.

    Nothing of it runs an engine here: the compute capability only chooses among converters, and is that of an RTX 40.
    """
    import torch

    logging.getLogger("torch_tensorrt").setLevel(logging.ERROR)  # it misses what only quantised networks want
    if torch.cuda.is_available():
        import torch_tensorrt

        return
    torch.cuda.get_device_capability = lambda *_, **__: (8, 9)
    torch.cuda.current_device = lambda: 0
    torch.cuda.mem_get_info = lambda *_, **__: (16 << 30, 16 << 30)
    is_file = os.path.isfile
    if torch.version.cuda is None:  # its C++ part wants the CUDA build of PyTorch, and is not needed to build plans
        if not hasattr(torch._C, "_CudaDeviceProperties"):
            setattr(torch._C, "_CudaDeviceProperties", object)  # noqa: B010 - typed as if it were always there
        os.path.isfile = lambda path: "torchtrt" not in os.path.basename(path) and is_file(path)  # type: ignore  # noqa: PTH119
    try:
        import torch_tensorrt  # noqa: F401
    finally:
        os.path.isfile = is_file


def prove(wanted: list[Job], *, whole: bool, kept: Path | None = None, again: bool = False) -> Report:
    """Build everything here: in the environment of `environment`.

    Args:
        wanted: of `benchmarks.engine_matrix.checkout_jobs.jobs`.
        whole: whether that is all of them.
        kept: a file with what was proved before; what is proved now goes there.
        again: build that, too.

    Raises:
        NoEnvironmentError: TensorRT-RTX is not here.
    """
    from benchmarks.tensorrt import proof_cache
    from engines.runtime.tensorrt import plan_builder  # noqa: F401 - its source is among the inputs

    report = Report(_versions())
    before, good = proof_cache.read(kept), {}
    for job in wanted:
        for count in COUNTS:
            digest = proof_cache.inputs_digest(job.net, job.size_wh, count)
            proof = None if again else _as_kept(before.get(digest))
            proof = proof or _proof(job.name, job.net, job.size_wh, count)
            report.proofs.append(proof)
            print(_line(proof), flush=True)
            if not proof.wrong:
                good[digest] = asdict(proof)
    proof_cache.write(kept, {**({} if whole else before), **good})  # of all that is offered, the rest is out of date
    return report


def _versions() -> dict[str, str]:
    from importlib import metadata

    try:
        return {name: metadata.version(name) for name in ("torch", "torch-tensorrt-rtx", "tensorrt-rtx")}
    except metadata.PackageNotFoundError as error:
        raise NoEnvironmentError(f"{error.name} is not installed in {sys.prefix}: leave --here out") from None


def _as_kept(found: Mapping[str, Any] | None) -> Proof | None:
    """A proof as the file has it; None where that is none."""
    try:
        proof = Proof(**{**found, "kept": True}) if found else None
        return proof if proof and not proof.wrong and not proof.fp32_layers and proof.plan_bytes > 0 else None
    except TypeError:
        return None


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
    size, how = f"{proof.plan_bytes / 1e6:.2f} MB", "built before" if proof.kept else "built"
    return f"{begin}  one FP16 engine of {proof.layers} layers, plan {size}, {how} in {proof.build_s:.1f} s"


def main() -> int:
    """Print a line for each engine, write JSON; for the exit code see the module."""
    parser = Parser("tensorrt_proof", __doc__)
    several = "may be given several times; all if not given"
    parser.add_argument("--style", action="append", default=[], help=several)
    parser.add_argument("--size", action="append", default=[], help=f"as in 256x256; {several}")
    parser.add_argument("--out", type=Path, help="write JSON there")
    parser.add_argument("--environment", type=Path, help="where TensorRT-RTX is, or is to be installed")
    parser.add_argument("--again", action="store_true", help="build also what was proved of the same inputs")
    parser.add_argument("--here", action="store_true", help="in this Python, which has TensorRT-RTX")
    parser.add_argument("--kept", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    from benchmarks.engine_matrix.checkout_jobs import chosen  # PyTorch: not for --help

    try:
        if wanted.out:
            check_writable("--out", wanted.out)
        jobs = chosen(wanted.style, wanted.size)
        return _here(wanted, jobs) if wanted.here else _aside(wanted.environment or default_folder())
    except (NoEnvironmentError, OptionsError, OSError) as error:
        print(error, file=sys.stderr)
        return NOT_HERE
    except KeyboardInterrupt:
        return 130


def _aside(folder: Path) -> int:
    """The same in the environment's Python, with all that was asked."""
    started_s = time.monotonic()
    python = environment(folder)
    made = about(folder)
    size = f"{made.get('bytes', 0) / 1e6:.0f} MB, installed in {made.get('install_s', 0.0):.0f} s"
    print(f"environment {folder}: {size}", flush=True)
    command = [str(python), "-m", "benchmarks.tensorrt_proof", "--here", "--kept", str(folder / _KEPT), *sys.argv[1:]]
    code = subprocess.run(command, cwd=ROOT).returncode
    if code < 0:
        print(f"NOT PROVED: building crashed ({signal.Signals(-code).name}) after the last line above")
        return NOT_PROVED
    print(f"{time.monotonic() - started_s:.0f} s in all")
    return code


def _here(wanted: argparse.Namespace, jobs: list[Job]) -> int:
    report = prove(jobs, whole=not (wanted.style or wanted.size), kept=wanted.kept, again=wanted.again)
    if wanted.out:
        write_text("--out", wanted.out, json.dumps(asdict(report), indent=1) + "\n")
    built = [proof for proof in report.proofs if not proof.kept]
    wrong = [proof for proof in report.proofs if proof.wrong]
    took = f"{sum(proof.build_s for proof in built):.0f} s of building, {len(report.proofs) - len(built)} built before"
    print(f"{len(report.proofs) - len(wrong)} of {len(report.proofs)} proved, {took}, {report.versions}")
    if wrong:
        print(f"NOT PROVED: {', '.join(f'{proof.name} {proof.size} x{proof.count}' for proof in wrong)}")
    return NOT_PROVED if wrong or not report.proofs else 0


if __name__ == "__main__":
    sys.exit(main())
