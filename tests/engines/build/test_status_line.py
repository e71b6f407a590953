"""The status line is shown on a terminal only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.root import ROOT

pytest.importorskip("pty", reason="this system has no pseudo-terminals")

CODE = """
import time
from engines.build.status_line import status_line
with status_line() as say:
    say("at work on [toon]")
    time.sleep(0.3)
    print("a result of more than eighty letters, as scores are, with many numbers, at the end of which comes this")
"""


def test_status_goes_to_the_terminal_and_output_to_the_file(tmp_path: Path) -> None:
    import pty

    ours, its = pty.openpty()
    results = tmp_path / "results"
    with results.open("wb") as file:
        done = subprocess.run([sys.executable, "-c", CODE], stdout=file, stderr=its, cwd=ROOT, timeout=60)
    os.close(its)
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0, seen
    (line,) = results.read_text().splitlines()
    assert line.endswith("comes this")
    assert "at work on [toon]" in seen and "result" not in seen


def test_no_status_without_a_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stderr == "" and done.stdout.startswith("a result")
