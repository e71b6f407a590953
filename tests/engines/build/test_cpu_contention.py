"""What other programs use of the machine is noticed, and said before anything is timed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from engines import cpu_contention
from engines.cpu_contention import CpuContention, crowded

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what all processors did: /proc/stat")

BUSY = "import time\nwhile time.process_time() < 0.5: pass"


@on_linux
def test_what_other_programs_use_is_noticed() -> None:
    began_s = time.monotonic()
    with CpuContention() as watched:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    took_s = time.monotonic() - began_s
    assert watched.cores is not None and watched.cores * took_s > 0.4, "half a second of it was another program's"


@on_linux
def test_a_machine_that_is_busy_with_something_else_is_said_to_be() -> None:
    """One process that never rests takes more than a quarter of two cores; on many it takes several."""
    endless = [
        subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
        for _ in range(1 + (os.cpu_count() or 1) // 4)
    ]
    try:
        assert all(one.stdout is not None and one.stdout.readline() for one in endless)
        # Once is enough: in a look during which the whole machine stood still nobody was busy.
        assert any("cores busy: measure again" in crowded() for _ in range(20))
    finally:
        for one in endless:
            one.kill()
            one.communicate()


@pytest.mark.parametrize(("busy_s", "said"), [(0.0, False), (1e6, True)])
def test_a_quiet_machine_is_not_complained_of(busy_s: float, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told_s = iter([100.0, 100.0, 100.0 + busy_s])  # stands in for /proc/stat: no machine of ours is quiet by order
    monkeypatch.setattr(cpu_contention, "_others_s", lambda: next(told_s))
    assert bool(crowded()) is said


def test_where_the_system_does_not_say_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_contention, "_others_s", lambda: None)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert crowded() == ""
