"""A builder in a process of its own: progress, failures in one line, timeout, and no process left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from support.root import ROOT

from engines.build.build_process import BuildError, BuildProcess, BuildStoppedError

TIMEOUT_S = 20.0  # a loaded machine starts a process in a few seconds
BUILDER = "slow_builder:main"
PROGRAM = """
import sys
from engines.build.build_process import BuildProcess
on_step = lambda step: print(step, flush=True)
BuildProcess("slow_builder:main", ("hang", sys.argv[1]), limit_s=600.0, on_step=on_step).run()
"""


def all_ended(lock: Path) -> bool:
    """Whether the builder and its children, which hold the lock, have ended."""
    with FileLock(lock).acquire(timeout=TIMEOUT_S):
        return True


def run(mode: str, lock: Path, *, limit_s: float = 120.0, steps: list[str] | None = None) -> list[str]:
    reported: list[str] = [] if steps is None else steps
    BuildProcess(BUILDER, (mode, str(lock)), limit_s=limit_s, on_step=reported.append).run()
    return reported


def test_steps_are_reported_and_other_output_is_ignored(lock: Path) -> None:
    assert run("good", lock) == ["build 1/3", "build 3/3"]


def test_builder_has_lowest_priority_and_no_stdin(lock: Path) -> None:
    steps = run("priority", lock)
    if sys.platform != "win32":
        assert "nice 19, own group True, own session False, reads ''" in steps


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("crash", r"^its builder crashed \(SIGSEGV\)$"),
        ("raise", r"^its builder failed \(MemoryError: no room for the engine\)$"),
        ("cannot", "^NNCF is not installed$"),
        ("refuse", "^failed: mean dE 3.1, at most 1.0$"),
    ],
)
def test_a_failed_build_gives_its_reason_in_one_line(mode: str, reason: str, lock: Path) -> None:
    with pytest.raises(BuildError, match=reason):
        run(mode, lock)
    assert all_ended(lock)


def test_a_builder_that_cannot_start_is_a_build_error(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(lock / "python"))
    with pytest.raises(BuildError, match="cannot be started"):
        run("good", lock)


def test_a_hanging_builder_is_killed_with_its_children(lock: Path) -> None:
    steps: list[str] = []
    for limit_s in (3.0, 30.0, 300.0):  # a loaded machine may start it late
        with pytest.raises(BuildError, match=f"took longer than {limit_s:.0f} s and was ended"):
            run("hang", lock, limit_s=limit_s, steps=steps)
        assert all_ended(lock)
        if steps:
            break
    assert steps == ["build 1/3"], "its child held the lock then"


def test_stop_kills_a_builder_with_its_children(lock: Path) -> None:
    started = threading.Event()
    build = BuildProcess(BUILDER, ("hang", str(lock)), limit_s=600.0, on_step=lambda step: started.set())
    stopped: list[BaseException] = []

    def work() -> None:
        try:
            build.run()
        except BuildStoppedError as error:
            stopped.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(TIMEOUT_S)
    build.stop()
    thread.join(TIMEOUT_S)
    assert len(stopped) == 1
    assert all_ended(lock)
    build.stop()


def test_a_build_stopped_before_run_is_not_started(lock: Path) -> None:
    build = BuildProcess(BUILDER, ("good", str(lock)), limit_s=600.0, on_step=print)
    build.stop()
    with pytest.raises(BuildStoppedError):
        build.run()
    assert not lock.exists()


def test_a_killed_program_leaves_no_builder_behind(lock: Path) -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(lock)], cwd=ROOT, stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == b"build 1/3\n"
    program.kill()
    program.wait()
    program.stdout.close()
    assert all_ended(lock)
