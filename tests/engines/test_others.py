"""What other programs use of the machine is noticed, and said before anything is timed."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from engines import others
from engines.others import Others, crowded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what all processors did: /proc/stat")

BUSY = "import time\nwhile time.process_time() < 0.5: pass"


def test_what_other_programs_use_is_noticed() -> None:
    began_s = time.monotonic()
    with Others() as watched:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    took_s = time.monotonic() - began_s
    assert watched.cores is not None and watched.cores * took_s > 0.4, "half a second of it was another program's"


def test_a_machine_that_is_busy_with_something_else_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "_BUSY_SHARE", 1e-3)
    endless = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert endless.stdout is not None and endless.stdout.readline()
        assert "cores busy: measure again" in crowded()
    finally:
        endless.kill()
        endless.communicate()


def test_where_the_system_does_not_say_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "_others_s", lambda: None)
    assert crowded() == ""
