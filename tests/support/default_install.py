"""Runs every command in the default install: `python -m tests.support.default_install VENEER PATH`.

The install has no PyTorch. Each command must do its work, or end with code 2 and one line that names the extra which it
needs; none may end with a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT_S = 300
NEEDS_TRAIN = "veneer[train]"
WORKS: list[list[str]] = [
    ["--help"],
    ["looks"],
    ["looks", "--sheet", "looks.png"],
    ["run", "--source", "demo", "--size", "320x240", "--sink", "file:run.mp4", "--frames", "15", "--look", "toon"],
    ["apply", "run.mp4", "applied.mp4", "--look", "glaze"],
    ["engines", "list"],
    ["calibrate", "lips-glaze"],
]
REPORTS = ["doctor"]  # its exit code says whether this machine has everything; it must not break off
WANTS_EXTRA: list[tuple[list[str], str]] = [
    (["train", "mine", "--teacher", "sketch", "--faces", "."], NEEDS_TRAIN),
    (["train", "lips", "--data", ".", "--style", "mine"], NEEDS_TRAIN),
]


def main(veneer: str, path: str) -> int:
    """Run them all in a temporary folder; return 1 if one failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {"PATH": path, "VENEER_HOME": str(folder / "home")}

        def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [veneer, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
            )

        failures = [_failure(arguments, run(arguments), code=0) for arguments in WORKS]
        failures.append(_failure(REPORTS, run(REPORTS), code=None))
        failures += [_failure(arguments, run(arguments), code=2, says=says) for arguments, says in WANTS_EXTRA]
    failures = [failure for failure in failures if failure]
    print("\n".join(failures) or f"default install: {len(WORKS) + len(WANTS_EXTRA) + 1} commands as they should be")
    return int(bool(failures))


def _failure(arguments: list[str], done: subprocess.CompletedProcess[str], *, code: int | None, says: str = "") -> str:
    if "Traceback" not in done.stderr and (code is None or done.returncode == code) and says in done.stderr:
        return ""
    return f"FAILED: veneer {' '.join(arguments)}: code {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-3000:]}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
