"""The load of other programs is measured and reported before a timing."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from support.cli_parts import WITH_TESTS

from engines.build import cpu_contention
from engines.build.cpu_contention import CpuContention, contention_warning

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/stat")

BUSY = "import time\nwhile time.process_time() < 0.5: pass"


@on_linux
def test_load_of_another_process_is_measured() -> None:
    began_s = time.monotonic()
    with CpuContention() as watched:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    took_s = time.monotonic() - began_s
    assert watched.cores is not None and watched.cores * took_s > 0.4


@on_linux
def test_busy_machine_gives_a_warning() -> None:
    """One endless process uses more than a quarter of two cores; on more cores several are needed."""
    endless = [
        subprocess.Popen(
            [*WITH_TESTS, sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
        )
        for _ in range(1 + (os.cpu_count() or 1) // 4)
    ]
    try:
        assert all(one.stdout is not None and one.stdout.readline() for one in endless)
        # One warning is enough: a virtual machine may be paused during a sample.
        assert any("cores busy: measure again" in contention_warning() for _ in range(20))
    finally:
        for one in endless:
            one.kill()
            one.communicate()


@pytest.mark.parametrize(("busy_s", "warns"), [(0.0, False), (1e6, True)])
def test_quiet_machine_gives_no_warning(busy_s: float, warns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    readings_s = iter([100.0, 100.0, 100.0 + busy_s])  # readings of /proc/stat
    monkeypatch.setattr(cpu_contention, "_other_busy_s", lambda: next(readings_s))
    assert bool(contention_warning()) is warns


def test_no_warning_without_load_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_contention, "_other_busy_s", lambda: None)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert contention_warning() == ""
