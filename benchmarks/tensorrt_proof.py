"""Do all generators become TensorRT engines in FP16? Proved without a GPU: `python -m benchmarks.tensorrt_proof`.

TensorRT-RTX builds engines on a machine that has none. It excludes the other distribution of torch-tensorrt, so it
gets an environment of its own in the cache folder (made the first time; about 200 MB where PyTorch's CPU build is at
hand). Every generator, at every size it is offered in, for one face and for four, must become one engine: no
operation without a converter, no layer left in FP32, a plan that is not empty.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ("torch==2.13.0", "torch-tensorrt-rtx==2.13.0")
COUNTS = (1, 4)


@dataclass(frozen=True)
class Proof:
    """What became of one generator at one size.

    Attributes:
        count: regions in one call.
        layers: before TensorRT fuses them.
        wrong: why it is no proof; empty where it is one.
    """

    name: str
    size: str
    count: int
    plan_bytes: int = 0
    build_s: float = 0.0
    layers: int = 0
    fp32_layers: tuple[str, ...] = ()
    wrong: str = ""


@dataclass
class Report:
    """All of them, and what they were built with."""

    versions: dict[str, str]
    proofs: list[Proof] = field(default_factory=list)


def environment(folder: Path) -> Path:
    """The Python of an environment with TensorRT-RTX, made if it is not there.

    Raises:
        subprocess.CalledProcessError: pip could not install it.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "installed.json"
    if not done.is_file() or json.loads(done.read_text()) != list(PINS):
        print(f"installing {' '.join(PINS)} into {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PINS], check=True)
        done.write_text(json.dumps(PINS))
    return python


def default_folder() -> Path:
    """Beside the program's other caches."""
    from engines import paths

    return paths.cache_dir() / "tensorrt-proof"


def import_without_gpu() -> None:
    """Import torch_tensorrt; where there is no GPU, answer what it asks of one on the way.

    Nothing of it runs an engine here: the compute capability only chooses among converters, and is that of an RTX 40.
    """
    import torch

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


def prove(styles: list[str]) -> Report:
    """Build everything here: in the environment of `environment`."""
    import_without_gpu()
    from importlib import metadata

    from benchmarks.bare import jobs

    report = Report({name: metadata.version(name) for name in ("torch", "torch-tensorrt-rtx", "tensorrt-rtx")})
    for job in jobs():
        if not styles or job.name in styles:
            for count in COUNTS:
                report.proofs.append(_proof(job.name, job.net, job.size_wh, count))
                print(_line(report.proofs[-1]), flush=True)
    return report


def _proof(name: str, net: object, size_wh: tuple[int, int], count: int) -> Proof:
    from engines.runtime.base import NotUsableError
    from engines.runtime.tensorrt_build import build_plan

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
    """Print a line for each engine, write JSON; exit code 1 if one is not proved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", action="append", default=[], help="may be given several times; all if not given")
    parser.add_argument("--out", type=Path, help="write JSON there")
    parser.add_argument("--environment", type=Path, help="where TensorRT-RTX is, or is to be installed")
    parser.add_argument("--here", action="store_true", help="in this Python, which has TensorRT-RTX")
    wanted = parser.parse_args()
    if not wanted.here:
        python = environment(wanted.environment or default_folder())
        command = [str(python), "-m", "benchmarks.tensorrt_proof", "--here", *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT).returncode
    report = prove(wanted.style)
    if wanted.out:
        wanted.out.write_text(json.dumps(asdict(report), indent=1) + "\n")
    wrong = sum(bool(proof.wrong) for proof in report.proofs)
    took_s = sum(proof.build_s for proof in report.proofs)
    print(f"{len(report.proofs) - wrong} of {len(report.proofs)} proved, {took_s:.0f} s of building, {report.versions}")
    return 1 if wrong or not report.proofs else 0


if __name__ == "__main__":
    sys.exit(main())
