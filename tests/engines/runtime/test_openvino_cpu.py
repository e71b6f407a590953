"""OpenVINO on the CPU: rejected INT8 entries, processors without BF16, and the tracker's core."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from support.openvino_stand_in import StandInCore

from engines.cache import cache_entry, engine_cache
from engines.cache.cache_entry import entries, record_verdict, verdict
from engines.runtime import base
from engines.runtime.base import NotUsableError
from engines.runtime.openvino import cpu_engine
from engines.runtime.openvino.cpu_engine import OpenVinoEngine, default_threads
from engines.runtime.openvino.int8_graph import int8_key
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style

STYLE = load_style("lips-glaze")
BROKEN = {
    "not read": "<net>nothing",
    "not compiled": '<net name="a" version="11"><layers></layers><edges/></net>',
    "unknown layer": '<net name="a" version="11"><layers><layer id="0" name="x" type="Nope" version="opset1"/></layers>'
    "</net>",
}


@pytest.mark.parametrize("graph", BROKEN.values(), ids=BROKEN.keys())
def test_a_rejected_int8_entry_is_deleted_and_reported(
    graph: str, portrait_bgr: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    usual = OpenVinoEngine(STYLE).info.precision
    key = int8_key(STYLE)
    engine_cache.store(
        key, lambda folder: (folder / "model.xml").write_text(graph), about=cache_entry.EntryDescription("lips-glaze")
    )
    record_verdict(key, passed=True)
    assert verdict(key) == "passed" and engine_cache.find(key) is not None, "its digests are right"
    capsys.readouterr()
    for opening in range(2):
        engine = open_engine(STYLE)
        assert (engine.info.runtime, engine.info.precision) == ("openvino", usual)
        assert "INT8 is not built here yet" in engine.info.why
        assert engine.infer(portrait_bgr[None, 125:155, 180:270]).shape == (1, 30, 90, 3)
        said = capsys.readouterr().err.splitlines()
        assert len(said) == (1 if opening == 0 else 0)
        if said:
            assert f"the cached engine {key[:8]} cannot be used here" in said[0]
            assert "Exception from" not in said[0] and "failed at" not in said[0]
    assert entries() == [] and verdict(key) == "uncalibrated"


def test_a_precision_that_fails_to_compile_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(StandInCore):
        def compile_model(self, graph: object, place: str, settings: dict[str, object]) -> object:
            if settings["INFERENCE_PRECISION_HINT"] == "bf16":
                raise RuntimeError("Exception from src/inference/a.cpp:1:\nno kernel for it\n")
            return super().compile_model(graph, place, settings)

    monkeypatch.setattr(cpu_engine, "openvino_core", lambda: Refuses(capabilities=("BF16", "FP32")))
    info = OpenVinoEngine(STYLE).info
    assert info.precision == "fp32" and "BF16 cannot be used here: no kernel for it" in info.why


def test_a_processor_without_bf16_runs_fp32_and_says_so(
    portrait_bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    core = StandInCore(capabilities=("FP32", "INT8", "BIN"))
    monkeypatch.setattr(cpu_engine, "openvino_core", lambda: core)
    engine = open_engine(STYLE)
    assert (engine.info.runtime, engine.info.precision) == ("openvino", "fp32")
    assert "this processor has no BF16" in engine.info.why
    assert {settings["INFERENCE_PRECISION_HINT"] for _, settings, _ in core.compiled} == {"f32"}
    assert np.isfinite(engine.infer(portrait_bgr[None, 125:155, 180:270])).all()
    with pytest.raises(NotUsableError, match="this processor has no BF16"):
        OpenVinoEngine(STYLE, precision="bf16")


def test_openvino_with_all_precisions_excluded_is_refused() -> None:
    with pytest.raises(NotUsableError, match="no other precision"):
        OpenVinoEngine(STYLE, excluded=("int8", "bf16", "fp32"))


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (16, 4)])
def test_the_tracker_keeps_a_core(cores: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert default_threads((256, 256)) == threads
    assert default_threads((90, 30)) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert default_threads((256, 256)) == threads, "systems that do not tell"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not tie a process to cores")
def test_cores_outside_the_affinity_mask_do_not_count() -> None:
    code = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "os.cpu_count = lambda: 8\n"
        "from engines.runtime.openvino.cpu_engine import default_threads\n"
        "print(default_threads((256, 256)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "1", done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not tie a process to cores")
@pytest.mark.parametrize(("parts", "shares"), [(2, [[1, 4], [5, 7, 9]]), (5, [[1], [4], [5], [7], [9]]), (6, [])])
def test_worker_keeps_to_its_part_of_the_cores(
    parts: int, shares: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = list[list[int]]()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 1, 9, 4, 5})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: kept.append(list(cores)))
    monkeypatch.setattr(base, "_before", [])
    for part in range(parts):
        base.keep_to_cores(part, parts)
        assert base.usable_cores() == 5, "the engines of this machine were chosen for all of its cores"
    assert kept == shares


def test_openvino_threads_leave_one_core_to_the_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    core = StandInCore()
    monkeypatch.setattr(cpu_engine, "openvino_core", lambda: core)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    OpenVinoEngine(load_style("toon"), precision="fp32")
    assert [settings["INFERENCE_NUM_THREADS"] for _, settings, _ in core.compiled] == [2, 2]
