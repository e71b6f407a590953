"""Runs a module of ours out of the picture's way: `python -m engines.build.low_priority_process MODULE ARGUMENT...`.

The module gets what the program that shows the picture leaves over: it is the last to run where a core is wanted by
two, and the first to go where memory is short. It and whatever it starts are one process group, so that all of it can
be ended at once; and that happens by itself when standard input closes, which is when the program that started it
ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
from pathlib import Path


def main() -> None:
    """Run the module that the arguments name."""
    step_back()
    alive = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what the module starts gets nothing to read
    threading.Thread(target=_end_with, args=(alive,), name="aside", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def step_back() -> None:
    """Take the lowest priority there is, and a process group of its own.

    The session stays that of the program: in a new one Linux would weigh both alike, whatever their priorities
    (sched_autogroup, see sched(7)).
    """
    with contextlib.suppress(OSError, AttributeError):
        os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):  # Linux: whoever wakes up takes the core at once
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with(alive: int) -> None:
    """Wait until the other end of the pipe is closed."""
    with contextlib.suppress(OSError):
        while os.read(alive, 4096):
            pass
    end_group(os.getpid())
    os._exit(1)


def end_group(pid: int) -> None:
    """End a process that stepped back, and all that it started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
