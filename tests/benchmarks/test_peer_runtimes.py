"""The runtimes of `python -m benchmarks.peers`, and why some are missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.gpu_parts import on_gpu

from benchmarks import peers
from benchmarks.peer_comparison import peer_runtimes
from benchmarks.peer_comparison.comparison import compare
from benchmarks.peer_comparison.peer_networks import PEERS
from calibration.engine_checks import quantize
from engines.cache import engine_cache
from engines.cache.cache_entry import record_verdict, verdict
from engines.runtime.base import NotUsableError
from engines.runtime.openvino.int8_graph import int8_key
from engines.runtime.torch.cuda_device import torch_device
from engines.styles import load_style

pytestmark = pytest.mark.usefixtures("one_thread")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["peers", *words])
    return peers.main()


def test_missing_runtime_is_reported_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        torch_device()
        pytest.skip("this machine has a GPU")
    except NotUsableError as error:
        why = str(error)
    assert run(monkeypatch, "--net", "lip_net", "--runtime", "cuda-fp32", "--runtime", "tensorrt-fp16") == 1
    printed = capsys.readouterr().out
    for runtime in ("cuda-fp32", "tensorrt-fp16"):
        assert f"lip_net does not run in {runtime}: {why}" in printed


def test_missing_tensorrt_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Uses a fake GPU if there is none."""
    if find_spec("torch_tensorrt"):
        pytest.skip("TensorRT is installed here")
    monkeypatch.setattr(peer_runtimes, "torch_device", lambda: None)
    assert run(monkeypatch, "--net", "lip_net", "--runtime", "tensorrt-fp16") == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "does not run" in line]
    assert "TensorRT is not installed (pip install " in line and "veneer[rtx]" in line


def test_int8_uses_the_live_engine_of_own_styles_only(built_in_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if find_spec("nncf") is None:
        pytest.skip("NNCF, which builds INT8 engines, is not installed")
    done = compare(["lip_net", "pix2pix"], ["torch-fp32", "openvino-int8"], seconds=0.01, threads=1)
    rows = {(row.net, row.runtime): row for row in done.rows}
    ours = rows["lip_net", "openvino-int8"]
    assert ours.median_ms and ours.error_mean is not None and 0.01 < ours.error_mean < 4, "INT8, and near FP32"
    key = int8_key(load_style("lips-glaze"))
    assert engine_cache.find(key) is not None and verdict(key) == "passed", "the engine stays in the cache"
    assert "lips-glaze: building the INT8 engine" in capsys.readouterr().err
    compare(["lip_net"], ["openvino-int8"], seconds=0.01, threads=1)
    assert "building" not in capsys.readouterr().err, "the second run uses the cache"
    theirs = rows["pix2pix", "openvino-int8"]
    assert theirs.median_ms is None and theirs.failed == "INT8 engines are built for this project's styles only"
    record_verdict(key, passed=False, because="too blue", scores={})
    (failed,) = compare(["lip_net"], ["openvino-int8"], seconds=0.01, threads=1).rows
    assert failed.median_ms is None and failed.failed == "calibration failed: too blue, so the program does not use it"


def test_int8_needs_nncf(built_in_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "nncf_installed", lambda: False)
    (row,) = compare(["lip_net"], ["openvino-int8"], seconds=0.01, threads=1).rows
    assert row.failed == "NNCF, which builds INT8 engines, is not installed (pip install 'veneer[int8]')"


@on_gpu
def test_half_precision_on_gpu_agrees_with_fp32() -> None:
    runtimes = ["cuda-fp32", "cuda-fp16-graph"]
    runtimes += ["tensorrt-fp16"] if find_spec("torch_tensorrt") else []
    done = compare(list(PEERS), runtimes, seconds=1.0, threads=1)
    assert len(done.rows) == len(runtimes) * len(PEERS)
    for row in done.rows:
        assert not row.failed and row.median_ms, row
        assert row.error_mean is not None and row.error_mean < 3.0, row
