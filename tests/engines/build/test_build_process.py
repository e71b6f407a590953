"""A builder is listened to, says why it failed, and never outlives whoever wanted its engine."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from support.root import ROOT

from engines.build.build_process import BuildError, BuildProcess, BuildStoppedError

SOON_S = 20.0  # a loaded machine starts a process in a few seconds
PROGRAM = """
import sys
from engines.build.build_process import BuildProcess
BuildProcess("slow_builder", ("hang", sys.argv[1]), limit_s=600.0, told=lambda step: print(step, flush=True)).run()
"""


def free(lock: Path) -> bool:
    """Whether everything that the builder started is gone."""
    with FileLock(lock).acquire(timeout=SOON_S):
        return True


def run(mode: str, lock: Path, *, limit_s: float = 120.0, said: list[str] | None = None) -> list[str]:
    told: list[str] = [] if said is None else said
    BuildProcess("slow_builder", (mode, str(lock)), limit_s=limit_s, told=told.append).run()
    return told


def test_its_steps_are_told_and_chatter_is_not(lock: Path) -> None:
    assert run("good", lock) == ["build 1/3", "build 3/3"]


def test_it_leaves_the_cores_and_the_keyboard_to_the_picture(lock: Path) -> None:
    said = run("priority", lock)
    if sys.platform != "win32":
        assert "nice 19, own group True, own session False, reads ''" in said


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("crash", r"^its builder crashed \(SIGSEGV\)$"),
        ("raise", r"^its builder failed \(MemoryError: no room for the engine\)$"),
        ("cannot", "^NNCF is not installed$"),
        ("refuse", "^failed: mean dE 3.1, at most 1.0$"),
    ],
)
def test_why_there_is_no_engine_is_said_in_one_line(mode: str, why: str, lock: Path) -> None:
    with pytest.raises(BuildError, match=why):
        run(mode, lock)
    assert free(lock)


def test_one_that_cannot_be_started_is_no_traceback(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(lock / "python"))
    with pytest.raises(BuildError, match="cannot be started"):
        run("good", lock)


def test_one_that_hangs_is_ended_with_what_it_started(lock: Path) -> None:
    said: list[str] = []
    for limit_s in (3.0, 30.0, 300.0):  # a loaded machine may take its time to begin
        with pytest.raises(BuildError, match=f"took longer than {limit_s:.0f} s and was ended"):
            run("hang", lock, limit_s=limit_s, said=said)
        assert free(lock)
        if said:
            break
    assert said == ["build 1/3"], "its child held the lock then"


def test_one_that_nobody_wants_any_more_is_ended_with_what_it_started(lock: Path) -> None:
    started = threading.Event()
    build = BuildProcess("slow_builder", ("hang", str(lock)), limit_s=600.0, told=lambda step: started.set())
    ended: list[BaseException] = []

    def work() -> None:
        try:
            build.run()
        except BuildStoppedError as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(SOON_S)
    build.stop()
    thread.join(SOON_S)
    assert len(ended) == 1
    assert free(lock)
    build.stop()


def test_one_that_is_not_wanted_is_not_even_started(lock: Path) -> None:
    build = BuildProcess("slow_builder", ("good", str(lock)), limit_s=600.0, told=print)
    build.stop()
    with pytest.raises(BuildStoppedError):
        build.run()
    assert not lock.exists()


def test_a_program_that_is_killed_leaves_no_builder_behind(lock: Path) -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(lock)], cwd=ROOT, stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == b"build 1/3\n"
    program.kill()
    program.wait()
    program.stdout.close()
    assert free(lock)
