"""`python -m benchmarks.engines`: numbers for every way there is here, from a bare checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gpu_parts import on_gpu
from safetensors.torch import load_file

from benchmarks import bare
from engines.styles import FRAME_SIZE_WH, SHIPPED, style_names

ROOT = Path(__file__).resolve().parent.parent.parent
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
        ours, theirs = bare.read_weights(file), load_file(file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_every_shipped_style_is_there_at_all_its_sizes() -> None:
    assert bare.FRAME_SIZE_WH == FRAME_SIZE_WH
    jobs = list(bare.jobs())
    assert {job.name for job in jobs if not job.fresh} == set(style_names())
    assert {job.generator for job in jobs} >= {"lip_net", "toon_net", "autoretouch", "pix2pix"}
    toon = [job.size_wh for job in jobs if job.generator == "toon_net"]
    assert {(256, 256), FRAME_SIZE_WH} <= set(toon)
    assert all(any(weight.any() for weight in job.net.parameters()) for job in jobs)


def test_a_size_that_a_generator_cannot_take_is_left_out() -> None:
    sizes = [job.size_wh for job in bare.jobs() if job.generator == "pix2pix" and job.fresh]
    assert sizes == [(256, 256)], "448 is no multiple of 128"


def run(tmp_path: Path, *arguments: str, before: str = "") -> tuple[str, dict[str, object]]:
    out = tmp_path / "engines.json"
    words = ["--out", str(out), "--seconds", "0.05", "--faces", "1", *arguments]
    code = f"{before}\nimport sys\nsys.argv = ['engines', *{words!r}]\nfrom benchmarks.engines import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(out.read_text())


def test_it_measures_each_way_and_its_error_against_fp32(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    printed, found = run(tmp_path, "--style", "lips-glaze", "--device", "cpu")
    rows = {row["way"]: row for row in found["rows"]}  # type: ignore[attr-defined]
    assert set(rows) == {"eager fp32", "openvino fp32", "openvino bf16"}
    assert rows["eager fp32"]["error_max"] == 0 and rows["eager fp32"]["faster"] == 1
    assert rows["openvino fp32"]["error_max"] < 0.1 and rows["openvino fp32"]["psnr_db"] > 80
    assert rows["openvino fp32"]["median_ms"] > 0 and rows["openvino fp32"]["calls"] >= 5
    bf16 = rows["openvino bf16"]
    assert bf16["failed"] or bf16["error_max"] > rows["openvino fp32"]["error_max"]
    for way in rows:
        assert way in printed
    assert found["machine"]["torch"] == torch.__version__  # type: ignore[index]


def test_a_bare_checkout_with_pytorch_alone_is_enough(tmp_path: Path) -> None:
    printed, found = run(tmp_path, "--style", "lips-glaze", "--device", "cpu", before=BLOCKED)
    rows = {row["way"]: row for row in found["rows"]}  # type: ignore[attr-defined]
    assert rows["eager fp32"]["median_ms"] > 0
    assert "on a bare machine" in rows["openvino fp32"]["failed"], "what is missing is said, and the rest goes on"
    assert rows["openvino fp32"]["median_ms"] is None
    assert "on a bare machine" in printed


@on_gpu
def test_on_a_gpu_every_way_agrees_with_fp32(tmp_path: Path) -> None:
    _, found = run(tmp_path, "--style", "lips-glaze", "--style", "toon_net", "--device", "cuda")
    for row in found["rows"]:  # type: ignore[attr-defined]
        if row["way"].startswith(("eager", "graph")):
            assert not row["failed"]
            assert row["error_mean"] < 0.5, row
