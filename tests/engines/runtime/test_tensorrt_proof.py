"""Every generator becomes one FP16 TensorRT engine, built without a GPU in an environment of its own.

`VENEER_RTX_PROOF` names the result of `python -m benchmarks.tensorrt_proof --out FILE.json`, with the lines that it
printed in FILE.txt; without it, the engines of two styles are built here.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import platformdirs
import pytest
from support.root import ROOT

from benchmarks.engine_matrix.checkout_jobs import jobs, small_jobs
from benchmarks.tensorrt.rtx_environment import about

pytestmark = pytest.mark.tensorrt
COMMAND = "python -m pytest -m tensorrt tests/engines/runtime/test_tensorrt_proof.py"
BUILD = """
import torch
from torch import nn
from benchmarks.tensorrt_proof import import_without_gpu
import_without_gpu()
from engines.runtime.base import NotUsableError
from engines.runtime.tensorrt.plan_builder import build_plan

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

GRAPH = """
import importlib
import numpy as np
from benchmarks.common.onnx_writer import fast_style, model, node, tensor
from engines.imports.graph_settings import GraphSettings
from engines.runtime.base import NotUsableError
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.runtime.tensorrt.graph_plan import build_graph_plan

trt = importlib.import_module(installed_distribution().module)
settings = {layout: GraphSettings(layout, "rgb", "0..255", "0..1") for layout in ("nchw", "nhwc")}
last = [node("Transpose", ["x"], "y", perm=[0, 3, 1, 2]), node("Conv", ["y", "w"], "z", pads=[1, 1, 1, 1])]
last += [node("Cast", ["z"], "f", to=1), node("Transpose", ["f"], "drawn", perm=[0, 2, 3, 1])]
kernel = tensor("w", np.full((3, 3, 3, 3), 0.04, np.float32))
shape = ("n", "h", "w", 3)
graphs = {"nchw": fast_style(), "nhwc": model(last, [kernel], {"x": shape}, {"drawn": shape})}
for layout, graph in graphs.items():
    for count in (1, 4):
        half = build_graph_plan(trt, graph, settings[layout], count, (256, 256))
        full = build_graph_plan(trt, graph, settings[layout], count, (256, 256), half=False)
        print("GRAPH", len(half.fp32_layers), len(half.plan) > 10_000, len(full.fp32_layers) > 1)
huge = model(last, [tensor("w", np.full((3, 3, 3, 3), 1e6, np.float32))], {"x": shape}, {"drawn": shape})
smaller = model([node("MaxPool", ["x"], "y", kernel_shape=[2, 2], strides=[2, 2])], [], {"x": (1, 3, 8, 8)}, {"y": ()})
whole = model([node("Neg", ["x"], "y")], [], {"x": shape}, {"y": shape}, kind="int64")
other = model([node("Reshape", ["x", "s"], "y")], [tensor("s", np.array([1, 16, 16, 3]))], {"x": shape}, {"y": shape})
graphs = {"HUGE": huge, "NONSENSE": b"nonsense", "SMALLER": smaller, "WHOLE": whole, "OTHER": other}
for name, graph in graphs.items():
    try:
        build_graph_plan(trt, graph, settings["nchw" if name == "SMALLER" else "nhwc"], 1, (256, 256))
    except NotUsableError as error:
        print(name, str(error).splitlines()[0])
"""


@pytest.fixture(scope="module")
def rtx_python(request: pytest.FixtureRequest) -> Path:
    """The Python of the environment that `python -m benchmarks.tensorrt_proof` makes."""
    if "tensorrt" not in str(request.config.option.markexpr).split():
        pytest.skip(f"builds TensorRT engines for a minute; run: {COMMAND}")
    named = os.environ.get("VENEER_RTX_ENV", "")
    folder = Path(named) if named else platformdirs.user_cache_path("veneer", appauthor=False) / "tensorrt-proof"
    python = folder / "bin" / "python"
    if not (named or about(folder)) or not python.is_file():
        pytest.skip(f"no TensorRT-RTX in {folder}: run python -m benchmarks.tensorrt_proof, or set VENEER_RTX_ENV")
    return python


def run(python: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def proof(rtx_python: Path, tmp_path: Path) -> Path:
    """The result of the proof, and beside it the lines that it printed (.txt)."""
    if "VENEER_RTX_PROOF" in os.environ:
        return Path(os.environ["VENEER_RTX_PROOF"])
    out = tmp_path / "proof.json"
    words = [word for name in ("lips-glaze", "toon") for word in ("--style", name)]
    printed = run(rtx_python, "-m", "benchmarks.tensorrt_proof", "--here", "--out", str(out), *words)
    out.with_suffix(".txt").write_text(printed)
    return out


def test_lips_and_toon_become_one_fp16_engine_at_every_size(proof: Path) -> None:
    proofs, printed = json.loads(proof.read_text())["proofs"], proof.with_suffix(".txt").read_text()
    offered = [*jobs(), *small_jobs()]
    styles = {job.name for job in offered} if "VENEER_RTX_PROOF" in os.environ else {"lips-glaze", "toon"}
    wanted = {(job.name, job.size, count) for job in offered if job.name in styles for count in (1, 4)}
    assert {(one["name"], one["size"], one["count"]) for one in proofs} == wanted
    assert len([name for name, *_ in wanted if name in ("lips-glaze", "toon")]) == 2 * (1 + 6)
    for one in proofs:
        assert one["wrong"] == "" and one["fp32_layers"] == []
        assert one["plan_bytes"] > 10_000 and one["layers"] > 5 and one["build_s"] > 0
    assert f"{len(proofs)} of {len(proofs)} proved" in printed


def test_networks_tensorrt_cannot_run_are_reported(rtx_python: Path) -> None:
    said = dict(line.split(" ", 1) for line in run(rtx_python, "-c", BUILD).splitlines() if line.isascii())
    assert int(said["SPREAD"]) > 0, "a standard deviation is computed in FP32"
    assert said["BYTES"].startswith("NotUsableError TensorRT has no converter for ")
    assert said["BROKEN"].startswith("RuntimeError TensorRT cannot build it: ")


def test_an_imported_graph_becomes_one_engine(rtx_python: Path) -> None:
    lines = [line for line in run(rtx_python, "-c", GRAPH).splitlines() if line.isascii()]
    assert [line for line in lines if line.startswith("GRAPH")] == ["GRAPH 0 True True"] * 4
    said = dict(line.split(" ", 1) for line in lines)
    assert said["HUGE"].startswith("its weights reach 1e+06, beyond FP16")
    assert said["NONSENSE"].startswith("TensorRT cannot read it (")
    assert said["WHOLE"].endswith("which are not types of pictures")
    assert said["OTHER"] == "it does not take 1 pictures of this size"
    assert said["SMALLER"] == "TensorRT computes (1, 3, 128, 128), expected (1, 3, 256, 256)"
