"""Two processes that need the same set or INT8 engine: one creates it, the other waits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
from numpy.typing import NDArray
from support.root import ROOT

from calibration.sets.set_builder import built_in
from engines.cache import calibration_set, engine_cache
from engines.cache.calibration_set import CASES
from engines.runtime.openvino.int8_graph import int8_key
from engines.style_lookup import load_style
from engines.training.data.aligned import load_region, region_names
from live.picture_files.picture_writer import write_picture

BEGIN = """
import sys, time
from pathlib import Path
log = Path(sys.argv[1])
waits = log.with_name("waits")

def say(line):
    if "another process" in line:
        print(line, flush=True)
        waits.touch()

def at_work(real):
    def work(*arguments, **options):
        with log.open("a") as file:
            file.write("made\\n")
        until_s = time.monotonic() + 30
        while not waits.exists() and time.monotonic() < until_s:  # the other process arrives during the work
            time.sleep(0.02)
        return real(*arguments, **options)
    return work

def go():
    print("ready", flush=True)
    sys.stdin.readline()

"""
BUILT_IN = """
from calibration.sets import set_builder
set_builder._portraits = at_work(set_builder._portraits)
go()
set_builder.built_in(say=say)
"""
OWN = """
from calibration.sets import set_builder
set_builder._add_source = at_work(set_builder._add_source)
set_builder.print_line = say
go()
done = set_builder.own_set([Path(sys.argv[2])])
print(done.sources)
"""
INT8 = """
from calibration.engine_checks import quantize
from calibration.engine_checks.verdicts import load_reference
from engines.style_lookup import load_style
quantize.quantize_graph = at_work(quantize.quantize_graph)
style = load_style("lips-glaze")
reference = load_reference(style)
go()
print(quantize.build_int8(style, reference, say=say).passed)
"""


def both(code: str, log: Path, folders: Sequence[Path] = ()) -> list[list[str]]:
    """Run two processes at the same time, each with its folder, and return their output lines."""
    with ExitStack() as stack:
        processes = []
        for number in range(2):
            command = [sys.executable, "-c", BEGIN + code, str(log), *map(str, folders[number : number + 1])]
            process = subprocess.Popen(command, text=True, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE)
            processes.append(stack.enter_context(process))
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], [err[-2000:] for _, err in answers]
    return [out.splitlines() for out, _ in answers]


def test_two_processes_create_the_built_in_set_once(tmp_path: Path, made_set: Path) -> None:
    log = tmp_path / "made"
    said = both(BUILT_IN, log)
    assert log.read_text() == "made\n"
    assert sorted(said) == [[], ["another process is creating the built-in calibration set: waiting for it"]]
    assert region_names(calibration_set.built_in_folder()) == region_names(made_set)
    assert calibration_set.marker(built_in()) == calibration_set.marker(made_set)


def test_two_processes_collect_without_losing_images(tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    for name, shift in (("one", 0), ("two", 3)):
        (tmp_path / name).mkdir()
        write_picture(tmp_path / name / "same.png", portrait_bgr)
        write_picture(tmp_path / name / f"{name}.png", np.roll(portrait_bgr, shift, 1)[:, ::-1])
    said = both(OWN, tmp_path / "made", (tmp_path / "one", tmp_path / "two"))
    assert sorted(said) == [["2"], ["another process is adding to your own calibration set: waiting for it", "2"]]
    folder = calibration_set.own_folder()
    names, marker = region_names(folder), calibration_set.marker(folder)
    assert {name.split("-")[0] for name in names} == {"same", "one", "two"}
    assert marker is not None and marker["regions"] == len(names) == 3 * 2 * len(CASES)
    for name in names:
        load_region(folder, name)


def test_two_processes_build_one_int8_engine(tmp_path: Path, built_in_set: Path) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed: pip install 'veneer[int8]'")
    log = tmp_path / "made"
    said = both(INT8, log)
    assert log.read_text() == "made\n"
    assert sorted(said, key=len) == [["True"], ["another process is building this engine: waiting for it", "True"]]
    entry = engine_cache.find(int8_key(load_style("lips-glaze")))
    assert entry is not None and json.loads((entry / "manifest.json").read_text())["verdict"]["passed"] is True
