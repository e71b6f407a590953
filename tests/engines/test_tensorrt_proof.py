"""Every generator becomes one TensorRT engine in FP16; built for real, without a GPU, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import platformdirs
import pytest

from benchmarks import tensorrt_proof
from benchmarks.bare import jobs

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = """
import torch
from torch import nn
from benchmarks.tensorrt_proof import import_without_gpu
import_without_gpu()
from engines.runtime.base import NotUsableError
from engines.runtime.tensorrt_build import build_plan

class Spread(nn.Module):
    def forward(self, x):
        return x / (x.std(dim=(2, 3), keepdim=True) + 1)

class Bytes(nn.Module):
    def forward(self, x):
        return (x * 255).to(torch.uint8).half()

class Broken(nn.Module):
    def forward(self, x):
        return x.nonsense()

print("SPREAD", len(build_plan(Spread(), 1, (32, 32)).fp32_layers))
for net in (Bytes(), Broken()):
    try:
        build_plan(net, 1, (32, 32))
    except (NotUsableError, RuntimeError) as error:
        print(type(net).__name__.upper(), type(error).__name__, str(error).splitlines()[0])
"""


@pytest.fixture(scope="module")
def rtx_python() -> Path:
    """The Python of the environment that `python -m benchmarks.tensorrt_proof` makes."""
    named = os.environ.get("VENEER_RTX_ENV", "")
    folder = Path(named) if named else platformdirs.user_cache_path("veneer", appauthor=False) / "tensorrt-proof"
    python = folder / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"no TensorRT-RTX in {folder}: run python -m benchmarks.tensorrt_proof (200 MB), or VENEER_RTX_ENV")
    return python


def run(python: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_lips_and_toon_become_one_fp16_engine_each(rtx_python: Path, tmp_path: Path) -> None:
    out = tmp_path / "proof.json"
    styles = {job.name: job.size for job in jobs() if job.generator in ("lip_net", "toon_net")}
    words = [word for name in styles for word in ("--style", name)]
    printed = run(rtx_python, "-m", "benchmarks.tensorrt_proof", "--here", "--out", str(out), *words)
    proofs = json.loads(out.read_text())["proofs"]
    assert {proof["name"] for proof in proofs} == set(styles)
    assert {proof["count"] for proof in proofs} == {1, 4}
    for proof in proofs:
        assert proof["wrong"] == "" and proof["fp32_layers"] == []
        assert proof["plan_bytes"] > 10_000 and proof["layers"] > 5 and proof["build_s"] > 0
    assert f"{len(proofs)} of {len(proofs)} proved" in printed


def test_what_would_be_wrong_is_seen(rtx_python: Path) -> None:
    said = dict(line.split(" ", 1) for line in run(rtx_python, "-c", BUILD).splitlines() if line.isascii())
    assert int(said["SPREAD"]) > 0, "a standard deviation is computed in FP32"
    assert said["BYTES"].startswith("NotUsableError TensorRT has no converter for ")
    assert said["BROKEN"].startswith("RuntimeError TensorRT cannot build it: ")


def test_a_proof_that_is_none_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tensorrt_proof.Proof("toon", "256x256", 1, wrong="in FP32: [CONVOLUTION]")
    out = tmp_path / "proof.json"
    monkeypatch.setattr(tensorrt_proof, "prove", lambda styles: tensorrt_proof.Report({}, [bad]))
    monkeypatch.setattr("sys.argv", ["proof", "--here", "--out", str(out)])
    assert tensorrt_proof.main() == 1
    assert json.loads(out.read_text())["proofs"][0]["wrong"] == "in FP32: [CONVOLUTION]"


def test_the_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[object]] = []
    monkeypatch.setattr(tensorrt_proof.venv, "create", lambda folder, **_: folder.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(tensorrt_proof.subprocess, "run", lambda command, **_: ran.append(command))
    folder = tmp_path / "environment"
    first = tensorrt_proof.environment(folder)
    assert tensorrt_proof.environment(folder) == first
    assert len(ran) == 1 and "torch-tensorrt-rtx==2.13.0" in ran[0]
    monkeypatch.setattr(tensorrt_proof, "PINS", ("torch==9.9.9",))
    tensorrt_proof.environment(folder)
    assert len(ran) == 2, "other pins, another environment"
