"""`veneer engines`: what a user sees of the cache."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from engines import cache, cache_entry, paths
from engines.commands import engines
from engines.errors import LookError
from engines.styles import SHIPPED


def own_style(name: str) -> None:
    """A style of the user's own, whose graph does not come with the program."""
    from safetensors.torch import load_file, save_file

    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    state = load_file(SHIPPED / "lips-glaze.safetensors")
    save_file({key: value * 1.01 for key, value in state.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text((SHIPPED / "lips-glaze.json").read_text())


def stored(name: str, verdict: bool | None = None) -> Path:
    def fill(folder: Path) -> None:
        (folder / "faces-1.plan").write_bytes(bytes(2_500_000))

    key = cache.key(weights=name)
    about = cache.About(name, "tensorrt", "fp16", "256x256")
    entry = cache.store(key, fill, about=about, build_s=41.0)
    assert entry is not None
    if verdict is not None:
        cache_entry.record_verdict(key, passed=verdict, because="mean dE 2.1, at most 0.5")
    return entry


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(engines, list(words))
    assert done.exit_code == code, done.output
    return done.stdout


def test_an_empty_cache_is_said_to_be_empty() -> None:
    assert "no engines in" in run("list")


def test_the_list_is_a_table_of_what_is_there() -> None:
    stored("toon", True)
    stored("lips-glaze", False)
    (stored("broken") / "manifest.json").unlink()
    lines = run("list").splitlines()
    assert lines[0].split() == ["style", "runtime", "precision", "shape", "size", "built", "took", "verdict"]
    by_style = {line.split()[0]: line for line in lines[1:-1]}
    assert by_style["toon"].split()[1:6] == ["tensorrt", "fp16", "256x256", "2.5", "MB"]
    assert "41.0 s  passed" in by_style["toon"]
    assert by_style["lips-glaze"].endswith("failed: mean dE 2.1, at most 0.5")
    assert by_style["?"].endswith("damaged")
    verdicts_begin = {line.index(word) for line, word in zip(lines, ("verdict", "failed", "passed"), strict=False)}
    assert len(verdicts_begin) == 1, "a table has straight columns"
    assert lines[-1].startswith("3 engines, 7.5 MB of at most 2000.0 MB in ")


def test_clear_removes_all_and_says_how_much() -> None:
    stored("toon")
    stored("lips-glaze")
    assert run("clear").startswith("2 engines, 5.0 MB, removed from ")
    assert "no engines in" in run("list")


def test_build_makes_an_engine_once_and_says_what_it_runs_on() -> None:
    own_style("lips-mine")
    first = run("build", "lips-mine", "--runtime", "openvino")
    assert first.startswith("1/1 lips-mine: openvino ") and "built in" in first
    assert len(cache.entries()) == 1
    again = run("build", "lips-mine", "--runtime", "openvino")
    assert "was there already" in again
    assert len(cache.entries()) == 1


def test_build_says_of_each_style_that_fails_why_and_goes_on() -> None:
    own_style("lips-mine")
    (paths.data_dir() / "weights" / "lips-mine.safetensors").write_bytes(b"cut")
    lines = run("build", "lips-mine", "lips-glaze", "--runtime", "openvino", code=2).splitlines()
    assert lines[0].startswith("1/2 lips-mine: weights ") and "not usable" in lines[0]
    assert lines[1].startswith("2/2 lips-glaze: openvino ")


def test_a_wrong_name_is_said_before_anything_is_built() -> None:
    done = CliRunner().invoke(engines, ["build", "lips-glaze", "lips-glase"])
    assert isinstance(done.exception, LookError)
    assert "lips-glaze" in str(done.exception)
    assert "ready" not in done.output
