"""The runtimes of `python -m benchmarks.peers`, and why some are missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
from support.gpu_parts import on_gpu

from benchmarks import peers
from benchmarks.peer_comparison import peer_runtimes
from benchmarks.peer_comparison.comparison import compare
from benchmarks.peer_comparison.peer_networks import PEERS
from benchmarks.peer_comparison.peer_runtimes import missing
from engines.cache import engine_cache
from engines.cache.cache_entry import record_verdict, verdict
from engines.runtime.openvino.int8_graph import int8_key
from engines.styles import load_style

OWN = [peer.own for peer in PEERS.values() if peer.own]

pytestmark = pytest.mark.usefixtures("one_thread")


def test_missing_runtime_is_reported_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (why := missing("cuda-fp32", OWN)):
        pytest.skip("this machine has a GPU")
    for runtime in ("cuda-fp32", "tensorrt-fp16"):
        with pytest.raises(SystemExit) as ended:
            monkeypatch.setattr(sys, "argv", ["peers", "--runtime", runtime])
            peers.main()
        written = capsys.readouterr()
        assert ended.value.code == 2 and f"{runtime}: {why}" in written.err and written.err.count("\n") == 1


def test_missing_tensorrt_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses a fake GPU if there is none."""
    if find_spec("torch_tensorrt"):
        pytest.skip("TensorRT is installed here")
    monkeypatch.setattr(peer_runtimes, "torch_device", lambda: None)
    assert missing("cuda-fp32", OWN) == ""
    assert missing("tensorrt-fp16", OWN).startswith("TensorRT is not installed (pip install ")
    assert "veneer[rtx]" in missing("tensorrt-fp16", OWN)


def test_int8_uses_the_live_engine_of_own_styles_only(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_int8_needs_nncf_and_own_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_runtimes, "nncf_installed", lambda: False)
    assert missing("openvino-int8", OWN).endswith(
        "NNCF, which builds it, is not installed (pip install 'veneer[int8]')"
    )
    assert missing("openvino-int8", []) == "INT8 engines are built for this project's styles only"


@on_gpu
def test_half_precision_on_gpu_agrees_with_fp32() -> None:
    runtimes = ["cuda-fp32", "cuda-fp16-graph"]
    runtimes += ["tensorrt-fp16"] if find_spec("torch_tensorrt") else []
    done = compare(list(PEERS), runtimes, seconds=1.0, threads=1)
    assert len(done.rows) == len(runtimes) * len(PEERS)
    for row in done.rows:
        assert not row.failed and row.median_ms, row
        assert row.error_mean is not None and row.error_mean < 3.0, row
