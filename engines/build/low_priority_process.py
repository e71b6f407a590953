"""Run a builder at the lowest priority: `python -m engines.build.low_priority_process MODULE:FUNCTION ARGUMENT...`.

The builder gets only the processor time that other programs leave, and is the first process that the system kills if
memory runs out. The builder and its children form one process group, so that all of them can be killed together. This
happens automatically when standard input closes, that is, when the program that started the builder ends.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def main() -> None:
    """Call the function that the arguments name, and exit with its return value."""
    _lower_priority()
    parent_pipe = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the builder's children must not read from the pipe
    threading.Thread(target=_exit_with_parent, args=(parent_pipe,), name="parent watch", daemon=True).start()
    module, _, function = sys.argv[1].partition(":")
    sys.exit(getattr(importlib.import_module(module), function)(sys.argv[2:]))


def _lower_priority() -> None:
    """Take the lowest priority and a process group of its own.

    The session stays the parent's: in a new session Linux would schedule parent and builder as equals, whatever their
    priorities (sched_autogroup, see sched(7)).
    """
    with contextlib.suppress(OSError, AttributeError):
        os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):  # Linux: every other runnable thread preempts this process
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _exit_with_parent(parent_pipe: int) -> None:
    """Block until the parent's end of the pipe is closed, then kill the process group."""
    with contextlib.suppress(OSError):
        while os.read(parent_pipe, 4096):
            pass
    kill_group(os.getpid())
    os._exit(1)


def kill_group(pid: int) -> None:
    """Kill a builder and all its children."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
