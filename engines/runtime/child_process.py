"""Command lines of this program's own child processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def module_command(module: str) -> list[str]:
    """Return the start of a command line that runs a module of this program with this Python.

    `python -m` would search the current folder first, and run what lies there under the name of a library. The child
    has PYTHONPATH and the search path of this process, without the current folder.
    """
    here = os.path.realpath(Path.cwd())
    wanted = filter(None, [*os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path])
    found = [path for path in map(os.path.abspath, wanted) if os.path.realpath(path) != here]
    code = f"import sys; sys.path[:] = {list(dict.fromkeys([*found, str(_ROOT)]))!r}; import runpy; "
    return [sys.executable, "-c", code + f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"]
