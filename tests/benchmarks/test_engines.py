"""`python -m benchmarks.engines`: numbers for every way there is here, from a bare checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.benchmark_parts import code_of
from support.gpu_parts import on_gpu
from support.root import ROOT
from torch import nn

from benchmarks import engines
from benchmarks.engine_matrix import checkout_jobs
from benchmarks.engine_matrix.engine_runtimes import Way, cpu_ways, cuda_ways
from benchmarks.engines import Row, wrong
from calibration.autotune.autotune import SCALES
from calibration.autotune.autotune_rules import scale_look
from engines.looks import Layer, Look
from engines.runtime.openvino.converted_graph import openvino_core
from engines.styles import FRAME_SIZE_WH, SHIPPED, Style, load_style, style_names

JOBS = list(checkout_jobs.jobs())
# What a bare machine lacks: everything the project installs but PyTorch and NumPy, which cannot be imported here.
BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("safetensors", "platformdirs", "typer", "rich", "skimage", "mediapipe", "filelock",
                                  "live", "scipy", "openvino", "tomli", "av"):
            raise ModuleNotFoundError(f"No module named {name!r} on a bare machine")
sys.meta_path.insert(0, Blocked())
"""


def test_the_weights_are_read_as_their_library_reads_them() -> None:
    files = sorted(SHIPPED.glob("*.safetensors"))
    assert files
    for file in files:
        ours, theirs = checkout_jobs.read_weights(file), load_file(file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_every_shipped_style_is_there_at_all_its_sizes() -> None:
    assert checkout_jobs.FRAME_SIZE_WH == FRAME_SIZE_WH
    jobs = list(checkout_jobs.jobs())
    assert {job.name for job in jobs if not job.fresh} == set(style_names())
    assert {job.generator for job in jobs} >= {"lip_net", "toon_net", "autoretouch", "pix2pix"}
    assert all(any(weight.any() for weight in job.net.parameters()) for job in jobs)


def test_the_sizes_are_those_that_live_may_run_a_style_in() -> None:
    """As looks and regions have them, and as `veneer calibrate machine` makes them smaller."""
    jobs = list(checkout_jobs.jobs())
    for name in style_names():
        style = load_style(name)
        regions = ("lips",) if style.region == "lips" else ("head", "face", "frame", "person")
        sizes = set()
        for scale in SCALES:
            look = Look("any", "", tuple(Layer(style.on(region), 1.0) for region in regions))
            sizes |= {layer.style.size_wh for layer in scale_look(look, scale).layers if isinstance(layer.style, Style)}
        assert sizes == {job.size_wh for job in jobs if job.name == name}, name


def test_a_size_that_a_generator_cannot_take_is_left_out() -> None:
    sizes = [job.size_wh for job in checkout_jobs.jobs() if job.generator == "pix2pix" and job.fresh]
    assert sizes == [(256, 256), (128, 128)], "the others are no multiples of 128"


def run(out: Path, *arguments: str, before: str = "", limit_s: float = 120) -> tuple[str, dict[str, Any]]:
    words = ["--out", str(out), "--seconds", "0.05", *arguments]
    end = "from benchmarks.engines import main\nsys.exit(main())"
    code = f"{before}\nimport sys\nsys.argv = ['engines', *{words!r}]\n{end}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=limit_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(out.read_text())


def test_it_measures_each_way_and_its_error_against_fp32(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    printed, found = run(tmp_path / "out.json", *["--style", "lips-glaze", "--device", "cpu", "--faces", "1"])
    rows = {row["way"]: row for row in found["rows"]}
    assert set(rows) == {"eager fp32", "openvino fp32", "openvino bf16"}
    assert rows["eager fp32"]["error_max"] == 0 and rows["eager fp32"]["faster"] == 1
    assert rows["openvino fp32"]["error_max"] < 0.1 and rows["openvino fp32"]["psnr_db"] > 80
    assert rows["openvino fp32"]["median_ms"] > 0 and rows["openvino fp32"]["calls"] >= 5
    bf16 = rows["openvino bf16"]
    assert bf16["failed"] or bf16["error_max"] > rows["openvino fp32"]["error_max"]
    for way in rows:
        assert way in printed
    assert found["machine"]["torch"] == torch.__version__


def test_a_bare_checkout_with_pytorch_alone_is_enough(tmp_path: Path) -> None:
    words = ["--style", "lips-glaze", "--device", "cpu", "--faces", "1"]
    printed, found = run(tmp_path / "out.json", *words, before=BLOCKED)
    rows = {row["way"]: row for row in found["rows"]}
    assert rows["eager fp32"]["median_ms"] > 0
    assert "on a bare machine" in rows["openvino fp32"]["failed"], "what is missing is said, and the rest goes on"
    assert rows["openvino fp32"]["median_ms"] is None and rows["openvino fp32"]["absent"]
    assert "on a bare machine" in printed and "WRONG" not in printed


def lacking(way: str) -> bool:
    """Whether this machine lacks what a way needs: what does not run although it is there is a fault."""
    if "bf16" in way:
        return "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    needs = {"tensorrt": "torch_tensorrt", "compile": "triton", "openvino": "openvino"}.get(way.split()[0])
    return needs is not None and find_spec(needs) is None


def hold_against_fp32(job: checkout_jobs.Job, device: str, out: Path) -> dict[str, Any]:
    """Run a generator in every way of the device, with one face and four; exit code 1 of it fails here already."""
    words = f"--style {job.name} --size {job.size} --device {device}"
    _, found = run(out, *words.split(), limit_s=1800)
    make = cuda_ways if device == "cuda" else cpu_ways
    ways = {(way.name, faces) for way in make(nn.Identity(), 1, job.size_wh) for faces in (1, 4)}
    assert {(row["way"], row["faces"]) for row in found["rows"]} == ways
    for row in found["rows"]:
        assert (row["name"], row["size"]) == (job.name, job.size)
        assert row["absent"] == bool(row["failed"]) == lacking(row["way"]), row
        if not row["absent"]:
            most_mean, least_db = (0.05, 80.0) if "fp32" in row["way"] else (0.5, 40.0)
            assert row["error_mean"] <= most_mean and (row["psnr_db"] is None or row["psnr_db"] >= least_db), row
            assert 0 < row["median_ms"] <= row["p95_ms"] and row["calls"] >= 5
    return found


def test_every_way_of_a_processor_agrees_with_fp32(tmp_path: Path) -> None:
    job = next(job for job in JOBS if (job.name, job.size) == ("toon", "128x128"))
    hold_against_fp32(job, "cpu", tmp_path / "out.json")


@pytest.fixture(scope="module")
def keep_times(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Takes what was measured on a GPU; all of it lies in VENEER_GPU_TIMES at the end, where that names a file."""
    kept: dict[str, Any] = {"rows": []}

    def keep(found: dict[str, Any]) -> None:
        kept.update({**found, "rows": [*kept["rows"], *found["rows"]]})

    yield keep
    named = os.environ.get("VENEER_GPU_TIMES")
    file = Path(named) if named else tmp_path_factory.mktemp("times") / "engines.json"
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


@on_gpu
@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.name}-{job.size}")
def test_on_a_gpu_every_way_agrees_with_fp32_and_is_timed(
    job: checkout_jobs.Job, tmp_path: Path, keep_times: Callable[[dict[str, Any]], None]
) -> None:
    keep_times(hold_against_fp32(job, "cuda", tmp_path / "out.json"))


def row(way: str, **about: Any) -> Row:
    return Row("toon", "toon_net", False, "256x256", 1, 0.5, way, **about)


def test_what_is_too_far_from_fp32_or_fails_is_wrong_and_what_is_not_here_is_not() -> None:
    assert wrong(row("graph fp16 nhwc", median_ms=1.0, error_mean=0.4, psnr_db=41.0)) == ""
    assert wrong(row("eager fp32", median_ms=1.0, error_mean=0.0)) == ""
    assert wrong(row("tensorrt fp16", failed="TensorRT is not installed", absent=True)) == ""
    assert "TensorRT cannot build it" in wrong(row("tensorrt fp16", failed="RuntimeError: TensorRT cannot build it"))
    for way, mean, psnr_db in (
        ("graph fp16 nhwc", 0.51, 60.0),
        ("graph fp16 nhwc", 0.1, 39.9),
        ("openvino fp32", 0.1, 90.0),
        ("openvino fp32", 0.01, 70.0),
    ):
        said = wrong(row(way, median_ms=1.0, error_mean=mean, psnr_db=psnr_db))
        assert said.startswith(f"toon 256x256 x1 {way}: too far from FP32: mean {mean}")
    assert "no FP32 to hold it against" in wrong(row("graph fp16 nhwc", median_ms=1.0))


def test_a_way_that_errs_ends_with_code_1_and_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bgr = np.full((1, 30, 90, 3), 100, np.float32)
    ways = [
        Way("eager fp32", lambda _: (lambda: None, lambda: bgr)),
        Way("grey fp16", lambda _: (lambda: None, lambda: bgr + 9)),
    ]
    monkeypatch.setattr(engines, "cpu_ways", lambda *_: ways)
    words = f"engines --style lips-glaze --faces 1 --device cpu --seconds 0.01 --out {tmp_path / 'out.json'}"
    monkeypatch.setattr(sys, "argv", words.split())
    assert engines.main() == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert line.startswith("WRONG: lips-glaze 90x30 x1 grey fp16: too far from FP32: mean 9 of 255")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--out /no/such/folder/x.json", "there is no folder /no/such/folder - make it first"),
        ("--out .", "it cannot be written"),
        ("--out x.json --device cuda", "PyTorch sees no NVIDIA GPU here - use --device cpu"),
        ("--out x.json --seconds -1", "'-1' is no number from 0.01 to 3600"),
        ("--out x.json --seconds nan", "'nan' is no number"),
        (
            "--out x.json --style toon --style toon_net",
            "--style toon_net: there is no such generator - use lips-bright",
        ),
        ("--out x.json --style toon --size 90x30", "--size 90x30: no generator named is offered in it - use 256x256"),
        ("--out x.json --faces 5", "invalid choice: 5"),
        ("--style toon", "required: --out"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is_measured(
    arguments: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has the GPU whose absence is tested")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["engines", *arguments.split()])
    monkeypatch.setattr(engines, "measure", lambda *_: pytest.fail("it measured"))
    assert code_of("engines", engines.main) == 2
    printed, said = capsys.readouterr()
    assert said.startswith("engines: ") and line in said and said.count("\n") == 1 and printed == ""
    assert list(tmp_path.iterdir()) == []
