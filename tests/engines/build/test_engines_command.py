"""`veneer engines`: build, list and clear the cache."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.root import ROOT
from typer.testing import CliRunner

from engines import paths
from engines.build.engines_command import engines
from engines.build.styles_in_use import styles_in_use
from engines.cache import cache_entry, engine_cache
from engines.errors import LookError
from engines.looks import Layer, Look
from engines.looks_file import load_looks, user_file
from engines.runtime import autotune_choice
from engines.runtime.openvino import int8_graph
from engines.runtime.openvino.converted_graph import cached_graph_key
from engines.style_lookup import load_style
from engines.styles import SHIPPED, Style


@pytest.fixture(autouse=True)
def no_quantiser(monkeypatch: pytest.MonkeyPatch) -> None:
    """No NNCF: tests/calibration builds INT8 engines."""
    monkeypatch.setattr(int8_graph, "nncf_installed", lambda: False)


def own_style(name: str) -> None:
    """A style of the user, for which no graph is shipped."""
    from safetensors.torch import load_file, save_file

    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    state = load_file(SHIPPED / "lips-glaze.safetensors")
    save_file({key: value * 1.01 for key, value in state.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text((SHIPPED / "lips-glaze.json").read_text())


def stored(name: str, verdict: bool | None = None) -> Path:
    def fill(folder: Path) -> None:
        (folder / "faces-1.plan").write_bytes(bytes(2_500_000))

    key = engine_cache.cache_key(weights=name)
    about = cache_entry.EntryDescription(name, "tensorrt", "fp16", "256x256")
    entry = engine_cache.store(key, fill, about=about, build_s=41.0)
    assert entry is not None
    if verdict is not None:
        cache_entry.record_verdict(key, passed=verdict, because="mean dE 2.1, at most 0.5")
    return entry


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(engines, list(words))
    assert done.exit_code == code, done.output
    return done.stdout


def test_empty_cache_is_reported() -> None:
    assert "no engines in" in run("list")


def test_list_is_an_aligned_table() -> None:
    stored("toon", True)
    stored("lips-glaze", False)
    (stored("broken") / "manifest.json").unlink()
    lines = run("list").splitlines()
    assert lines[0].split() == ["style", "runtime", "precision", "shape", "size", "built", "took", "verdict"]
    by_style = {line.split()[0]: line for line in lines[1:-1]}
    assert by_style["toon"].split()[1:6] == ["tensorrt", "fp16", "256x256", "2.5", "MB"]
    assert re.search(r" 4\d\.\d s  passed$", by_style["toon"])
    assert by_style["lips-glaze"].endswith("failed: mean dE 2.1, at most 0.5")
    assert by_style["?"].endswith("damaged")
    verdicts_begin = {line.index(word) for line, word in zip(lines, ("verdict", "failed", "passed"), strict=False)}
    assert len(verdicts_begin) == 1
    assert lines[-1].startswith("3 engines, 7.5 MB of at most 2000.0 MB in ")


def test_clear_reports_count_and_size() -> None:
    stored("toon")
    stored("lips-glaze")
    assert run("clear").startswith("2 engines, 5.0 MB, removed from ")
    assert "no engines in" in run("list")


def test_engine_is_built_once() -> None:
    own_style("lips-mine")
    first = run("build", "lips-mine", "--runtime", "openvino")
    assert first.startswith("1/1 lips-mine: openvino ") and "built in" in first
    assert len(cache_entry.entries()) == 1
    again = run("build", "lips-mine", "--runtime", "openvino")
    assert "was there already" in again
    assert len(cache_entry.entries()) == 1


def test_truncated_engine_is_built_again(capfd: pytest.CaptureFixture[str]) -> None:
    own_style("lips-mine")
    run("build", "lips-mine", "--runtime", "openvino")
    entry = cache_entry.cache_home() / cached_graph_key(load_style("lips-mine"))
    (entry / "model.bin").write_bytes(b"cut")
    said = run("build", "lips-mine", "--runtime", "openvino")
    assert "built in" in said and "already" not in said
    assert [one.verdict for one in cache_entry.entries()] == ["uncalibrated"]


def test_only_one_of_two_processes_reports_a_build(tmp_path: Path) -> None:
    own_style("lips-mine")
    code = """
import sys, time
from pathlib import Path
from engines.cache import cache_lock
from engines.build.engines_command import engines
from engines.runtime.openvino import converted_graph, int8_graph
int8_graph.nncf_installed = lambda: False
waits, real, hold = Path(sys.argv[1]), converted_graph.convert_style, cache_lock.hold_lock

def convert(style):
    until_s = time.monotonic() + 60
    while not waits.exists() and time.monotonic() < until_s:  # until the other process waits for the lock
        time.sleep(0.02)
    return real(style)

def noting(lock_file, *, say, wait_s):
    return hold(lock_file, say=lambda line: waits.touch(), wait_s=wait_s)

converted_graph.convert_style, cache_lock.hold_lock = convert, noting
engines(["build", "lips-mine", "--runtime", "openvino"])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "waits")]
    both = [subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) for _ in range(2)]
    said = sorted(process.communicate(timeout=180)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert ["built by another process meanwhile, ready in " in line for line in said] == [True, False], said
    assert [", built in " in line for line in said] == [False, True], said


def test_runtime_without_build_is_reported_as_such() -> None:
    said = run("build", "lips-glaze", "--runtime", "torch")
    assert "which needs no building" in said and "already" not in said and "built in" not in said


def test_every_size_used_by_a_look_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run("build", "toon", "lips-glaze", "--runtime", "openvino").splitlines()
    begins = [line.split(": ")[0] for line in lines if "/" in line.split(" ")[0]]
    assert begins == ["1/3 toon 256x144", "2/3 toon 192x192", "3/3 lips-glaze"]
    user_file().parent.mkdir(parents=True)
    user_file().write_text('[looks.mine]\nlayers = [{ style = "soft", region = "frame" }]\n')
    assert "soft 336x192: openvino" in run("build", "soft", "--runtime", "openvino")

    def smaller(look: Look) -> Look:
        """As `veneer calibrate machine` may choose."""
        if look.name != "toon":
            return look
        styles = [layer.style for layer in look.layers if isinstance(layer.style, Style)]
        return replace(look, layers=tuple(Layer(replace(style, size_wh=(192, 192)), 1.0) for style in styles))

    monkeypatch.setattr(autotune_choice, "with_chosen_sizes", smaller)
    assert "toon 192x192: openvino" in run("build", "toon", "--runtime", "openvino")


def test_all_styles_of_all_looks_are_built() -> None:
    looks = load_looks()
    layers = [layer.style for look in looks.values() for layer in look.layers]
    wanted = {(style.name, style.size_wh) for style in layers if isinstance(style, Style)}
    assert {(style.name, style.size_wh) for style in styles_in_use((), looks.values())} == wanted
    own_style("lips-mine")
    assert (90, 30) in {style.size_wh for style in styles_in_use((), looks.values()) if style.name == "lips-mine"}


def test_missing_nncf_is_reported_in_one_line() -> None:
    own_style("lips-mine")
    lines = run("build", "lips-mine", "--runtime", "openvino").splitlines()
    assert lines[-1] == "INT8, about 1.4 times as fast as BF16, needs NNCF: pip install 'veneer[int8]'"
    assert "NNCF" not in run("build", "lips-glaze", "--runtime", "torch").splitlines()[-1]


def test_build_continues_after_a_style_that_fails() -> None:
    own_style("lips-mine")
    (paths.data_dir() / "weights" / "lips-mine.safetensors").write_bytes(b"cut")
    lines = run("build", "lips-mine", "lips-glaze", "--runtime", "openvino", code=2).splitlines()
    assert lines[0].startswith("1/2 lips-mine: weights ") and "not usable" in lines[0]
    assert lines[1].startswith("2/2 lips-glaze: openvino ")


def test_unknown_style_is_reported_before_any_build() -> None:
    done = CliRunner().invoke(engines, ["build", "lips-glaze", "lips-glase"])
    assert isinstance(done.exception, LookError)
    assert "lips-glaze" in str(done.exception)
    assert "ready" not in done.output
