"""`python -m benchmarks.engines`: results for every available backend, from a bare checkout."""

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
from benchmarks.engine_matrix import checkout_jobs, measurement
from benchmarks.engine_matrix.engine_runtimes import Backend, backends, cpu_backends
from benchmarks.engine_matrix.measurement import Row
from benchmarks.engines import failure
from calibration.autotune.autotune import SCALES
from calibration.autotune.autotune_rules import scale_look
from engines.generators.registry import fresh_generator
from engines.looks import Layer, Look
from engines.runtime.openvino.converted_graph import openvino_core
from engines.style_lookup import load_style, style_names
from engines.styles import FRAME_SIZE_WH, SHIPPED, Style
from engines.training.metrics.model_cost import parameters

JOBS = list(checkout_jobs.jobs())
# Blocks the import of all dependencies except PyTorch and NumPy.
BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("safetensors", "platformdirs", "typer", "rich", "skimage", "mediapipe", "filelock",
                                  "scipy", "openvino", "tomli", "av"):
            raise ModuleNotFoundError(f"No module named {name!r} on a bare machine")
sys.meta_path.insert(0, Blocked())
"""


def test_weights_reader_agrees_with_safetensors() -> None:
    files = sorted(SHIPPED.glob("*.safetensors"))
    assert files
    for file in files:
        ours, theirs = checkout_jobs.read_weights(file), load_file(file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_every_shipped_style_is_measured() -> None:
    assert checkout_jobs.FRAME_SIZE_WH == FRAME_SIZE_WH
    jobs = list(checkout_jobs.jobs())
    assert {job.name for job in jobs if not job.fresh} == set(style_names())
    assert {job.generator for job in jobs} >= {"lip_net", "toon_net", "autoretouch", "pix2pix"}
    assert all(any(weight.any() for weight in job.net.parameters()) for job in jobs)


def test_sizes_match_looks_and_autotuning() -> None:
    """Sizes of looks and regions, and their scaled versions of `veneer calibrate machine`."""
    jobs = list(checkout_jobs.jobs())
    for name in style_names():
        style = load_style(name)
        regions = ("lips",) if style.region == "lips" else ("head", "face", "frame", "person")
        sizes = set()
        for scale in SCALES:
            look = Look("any", "", tuple(Layer(style.on(region), 1.0) for region in regions))
            sizes |= {layer.style.size_wh for layer in scale_look(look, scale).layers if isinstance(layer.style, Style)}
        assert sizes == {job.size_wh for job in jobs if job.name == name}, name


def test_unsupported_sizes_are_left_out() -> None:
    sizes = [job.size_wh for job in checkout_jobs.jobs() if job.generator == "pix2pix" and job.fresh]
    assert sizes == [(256, 256), (128, 128)], "the other sizes are not multiples of 128"


def run(out: Path, *arguments: str, before: str = "", limit_s: float = 120) -> tuple[str, dict[str, Any]]:
    words = ["--out", str(out), "--seconds", "0.05", *arguments]
    end = "from benchmarks.engines import main\nsys.exit(main())"
    code = f"{before}\nimport sys\nsys.argv = ['engines', *{words!r}]\n{end}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=limit_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(out.read_text())


def test_every_backend_is_timed_and_compared_with_fp32(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    printed, found = run(tmp_path / "out.json", *["--style", "lips-glaze", "--device", "cpu", "--faces", "1"])
    rows = {row["backend"]: row for row in found["rows"]}
    assert set(rows) == {"eager fp32", "openvino fp32", "openvino bf16"}
    assert rows["eager fp32"]["error_max"] == 0 and rows["eager fp32"]["faster"] == 1
    assert rows["openvino fp32"]["error_max"] < 0.1 and rows["openvino fp32"]["psnr_db"] > 80
    assert rows["openvino fp32"]["median_ms"] > 0 and rows["openvino fp32"]["calls"] >= 5
    bf16 = rows["openvino bf16"]
    assert bf16["failed"] or bf16["error_max"] > rows["openvino fp32"]["error_max"]
    for backend in rows:
        assert backend in printed
    assert found["machine"]["versions"]["torch"] == torch.__version__


def test_engines_benchmark_needs_only_pytorch(tmp_path: Path) -> None:
    words = ["--style", "lips-glaze", "--device", "cpu", "--faces", "1"]
    printed, found = run(tmp_path / "out.json", *words, before=BLOCKED)
    rows = {row["backend"]: row for row in found["rows"]}
    assert rows["eager fp32"]["median_ms"] > 0
    assert "on a bare machine" in rows["openvino fp32"]["failed"], "a missing library is reported"
    assert rows["openvino fp32"]["median_ms"] is None and rows["openvino fp32"]["unavailable"]
    assert "on a bare machine" in printed and "FAILED" not in printed


def lacking(backend: str) -> bool:
    """Return whether this machine lacks what a backend needs."""
    if "bf16" in backend:
        return "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    needs = {"tensorrt": "torch_tensorrt", "compile": "triton", "openvino": "openvino"}.get(backend.split()[0])
    return needs is not None and find_spec(needs) is None


def check_backends(job: checkout_jobs.Job, device: str, out: Path) -> dict[str, Any]:
    """Run a generator in every backend of a device with one face and four, and check the results."""
    words = f"--style {job.name} --size {job.size} --device {device}"
    _, found = run(out, *words.split(), limit_s=1800)
    offered = backends(nn.Identity(), 1, job.size_wh, device, 1)
    expected = {(backend.name, faces) for backend in offered for faces in (1, 4)}
    assert {(row["backend"], row["faces"]) for row in found["rows"]} == expected
    for row in found["rows"]:
        assert (row["name"], row["size"]) == (job.name, job.size)
        assert row["unavailable"] == bool(row["failed"]) == lacking(row["backend"]), row
        if not row["unavailable"]:
            most_mean, least_db = (0.05, 80.0) if "fp32" in row["backend"] else (0.5, 40.0)
            assert row["error_mean"] <= most_mean and (row["psnr_db"] is None or row["psnr_db"] >= least_db), row
            assert 0 < row["median_ms"] <= row["p95_ms"] and row["calls"] >= 5
    return found


def test_every_cpu_backend_agrees_with_fp32(tmp_path: Path) -> None:
    job = next(job for job in JOBS if (job.name, job.size) == ("toon", "128x128"))
    check_backends(job, "cpu", tmp_path / "out.json")


@pytest.fixture(scope="module")
def keep_times(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Collect the results on a GPU, and write them to the file in VENEER_GPU_TIMES, if set."""
    kept: dict[str, Any] = {"rows": []}

    def keep(found: dict[str, Any]) -> None:
        kept.update({**found, "rows": [*kept["rows"], *found["rows"]]})

    yield keep
    named = os.environ.get("VENEER_GPU_TIMES")
    file = Path(named) if named else tmp_path_factory.mktemp("times") / "engines.json"
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


@on_gpu
@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.name}-{job.size}")
def test_every_gpu_backend_agrees_with_fp32(
    job: checkout_jobs.Job, tmp_path: Path, keep_times: Callable[[dict[str, Any]], None]
) -> None:
    keep_times(check_backends(job, "cuda", tmp_path / "out.json"))


def row(backend: str, **about: Any) -> Row:
    return Row("toon", "toon_net", False, "256x256", 1, 0.5, 198_872, backend, **about)


def test_failures_and_large_errors_are_reported() -> None:
    assert failure(row("graph fp16 nhwc", median_ms=1.0, error_mean=0.4, psnr_db=41.0)) == ""
    assert failure(row("eager fp32", median_ms=1.0, error_mean=0.0)) == ""
    assert failure(row("tensorrt fp16", failed="TensorRT is not installed", unavailable=True)) == ""
    assert "TensorRT cannot build it" in failure(row("tensorrt fp16", failed="RuntimeError: TensorRT cannot build it"))
    for backend, mean, psnr_db in (
        ("graph fp16 nhwc", 0.51, 60.0),
        ("graph fp16 nhwc", 0.1, 39.9),
        ("openvino fp32", 0.1, 90.0),
        ("openvino fp32", 0.01, 70.0),
    ):
        said = failure(row(backend, median_ms=1.0, error_mean=mean, psnr_db=psnr_db))
        assert said.startswith(f"toon 256x256 x1 {backend}: too far from FP32: mean {mean}")
    assert "no FP32 reference to compare with" in failure(row("graph fp16 nhwc", median_ms=1.0))


def test_inaccurate_backend_ends_with_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bgr = np.full((1, 30, 90, 3), 100, np.float32)
    fakes = [
        Backend("eager fp32", lambda _: (lambda: None, lambda: bgr)),
        Backend("grey fp16", lambda _: (lambda: None, lambda: bgr + 9)),
    ]
    monkeypatch.setattr(measurement, "backends", lambda *_: fakes)
    words = f"engines --style lips-glaze --faces 1 --device cpu --seconds 0.01 --out {tmp_path / 'out.json'}"
    monkeypatch.setattr(sys, "argv", words.split())
    assert engines.main() == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert line.startswith("FAILED: lips-glaze 90x30 x1 grey fp16: too far from FP32: mean 9 of 255")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--out /no/such/folder/x.json", "there is no folder /no/such/folder - create it first"),
        ("--out .", "it cannot be written"),
        ("--out x.json --device cuda", "PyTorch finds no NVIDIA GPU - use --device cpu"),
        ("--out x.json --seconds -1", "'-1' is not a number from 0.01 to 3600"),
        ("--out x.json --seconds nan", "'nan' is not a number"),
        (
            "--out x.json --style toon --style toon_net",
            "--style toon_net: there is no such generator - use kandinsky",
        ),
        ("--out x.json --style toon --size 90x30", "--size 90x30: no generator named is offered in it - use 192x192"),
        ("--out x.json --faces 5", "invalid choice: 5"),
        ("--out x.json --threads 0", "'0' is not an integer from 1 to"),
        ("--out x.json --peers --style sketch", "--style sketch: there is no such generator - use lips-glaze, toon"),
        ("--style toon", "required: --out"),
    ],
)
def test_invalid_arguments_are_reported_before_measuring(
    arguments: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["engines", *arguments.split()])
    monkeypatch.setattr(engines, "measure", lambda *_, **__: pytest.fail("it measured"))
    assert code_of("engines", engines.main) == 2
    printed, said = capsys.readouterr()
    assert said.startswith("engines: ") and line in said and said.count("\n") == 1 and printed == ""
    assert list(tmp_path.iterdir()) == []


SMALL: dict[str, dict[str, int]] = {
    "cyclegan": {"channels": 8, "blocks": 2},
    "ugatit_light": {"channels": 8, "blocks": 2},
    "photo2cartoon": {"channels": 8, "blocks": 1, "depth": 2},
    "animegan2": {},
}


@pytest.mark.parametrize("name", SMALL)
def test_openvino_on_one_thread_agrees_with_pytorch(name: str, one_thread: None) -> None:
    torch.manual_seed(0)
    region_bgr = checkout_jobs.picture(1, (64, 64))
    ways = cpu_backends(fresh_generator(name, SMALL[name]).eval(), 1)[:2]
    eager_bgr, converted_bgr = (way.open(region_bgr)[1]() for way in ways)
    assert eager_bgr.shape == (1, 64, 64, 3) and eager_bgr.std() > 1
    assert np.abs(converted_bgr - eager_bgr).max() < 0.1


def test_pix2pix_has_the_depth_of_its_paper() -> None:
    net = next(job.net for job in checkout_jobs.peers() if job.name == "pix2pix")
    assert parameters(net) == pytest.approx(54.414e6, rel=1e-4)


def test_peers_are_compared_in_one_run(tmp_path: Path) -> None:
    words = "--peers --style toon --style lips-glaze --device cpu --threads 1"
    printed, found = run(tmp_path / "peers.json", *words.split())
    rows = {(row["name"], row["backend"]): row for row in found["rows"]}
    assert {name for name, _ in rows} == {"toon", "lips-glaze"} and found["machine"]["threads"] == 1
    for (name, backend), row in rows.items():
        if not row["failed"]:
            ours, eager = rows["toon", backend], rows[name, "eager fp32"]
            assert row["faces"] == 1 and row["calls"] >= 6 and 0 < row["median_ms"] <= row["p95_ms"]
            assert row["x_ours"] == pytest.approx(row["median_ms"] / ours["median_ms"], rel=0.01)
            assert row["faster"] == pytest.approx(eager["median_ms"] / row["median_ms"], rel=0.01)
    assert "x ours" in printed
