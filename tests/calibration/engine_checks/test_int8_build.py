"""`veneer engines build` on a CPU: INT8 engines from the builder that the live program uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.root import ROOT
from typer.testing import CliRunner

from engines.build.engines_command import engines
from engines.cache import cache_entry
from engines.cache.cache_entry import cache_home
from engines.runtime.openvino.int8_graph import int8_key
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style

pytest.importorskip("nncf", reason="NNCF is not installed: pip install 'veneer[int8]'")


def run(*words: str) -> list[str]:
    done = CliRunner().invoke(engines, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_engines_build_makes_int8_once_and_live_uses_it(built_in_set: Path, capfd: pytest.CaptureFixture[str]) -> None:
    style = load_style("lips-glaze")
    first, second = run("build", "lips-glaze")
    assert first.startswith("1/1 lips-glaze: openvino ") and "INT8 is not built here yet" in first
    assert second.startswith("1/1 lips-glaze: openvino int8 on ") and "calibration passed" in second
    assert ", ready after " in second, "the time includes waiting for another process"
    assert open_engine(style, build=False, convert=False).info.precision == "int8"
    (again,) = run("build", "lips-glaze")
    assert "openvino int8" in again and "was there already" in again
    (entry,) = cache_entry.entries()
    assert entry.about.precision == "int8" and entry.build_s is not None, "shown by veneer engines list"
    (entry.folder / "model.bin").write_bytes(b"cut")
    capfd.readouterr()
    assert open_engine(style, build=False, convert=False).info.precision != "int8"
    said = capfd.readouterr().err
    assert "incomplete or modified: it is deleted\n" in said, "it is not rebuilt here"
    assert not (cache_home() / int8_key(style)).exists()
    assert "openvino int8 on " in run("build", "lips-glaze")[-1]


def only_child(pid: int) -> str:
    """Wait for the only child process and return its id."""
    for _ in range(3000):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            (child,) = children
            return child
        time.sleep(0.02)
    raise AssertionError("no builder was started")


def ends(pid: str) -> bool:
    """Wait until the process has ended; at low priority on a loaded machine this takes time."""
    for _ in range(3000):
        try:
            if Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in Linux' /proc")
def test_ctrl_c_ends_engines_build_and_its_builder(built_in_set: Path) -> None:
    command = [sys.executable, "-m", "live", "engines", "build", "lips-glaze"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            while "building OpenVINO INT8" not in (line := process.stderr.readline()):
                assert line, "the process ended before the build"
            builder = only_child(process.pid)
            os.kill(process.pid, signal.SIGINT)
            _, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, rest) == (130, "veneer: stopped\n")
    assert ends(builder)
    assert cache_entry.entries() == []
