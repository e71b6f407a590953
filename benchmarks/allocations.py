"""Memory allocated per frame: `python -m benchmarks.allocations`.

Each look runs in its own process. `MALLOC_MMAP_THRESHOLD_` (GNU libc) makes every array above 500 kB a new mapping, so
that page faults count the frame-sized arrays allocated by this program and its libraries. Linux only.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys

from benchmarks.common.arguments import REPEATABLE, Parser, run_main, whole
from benchmarks.common.machine_info import header, machine, table
from engines.errors import VeneerError
from engines.looks import find_look, load_looks
from live.options import LiveOptions, parse_size
from live.pipeline.frame import Frame
from live.session import Session

_BURN_IN_FRAMES = 300  # permanent arrays are allocated by then
_MMAP_THRESHOLD_BYTES = "500000"


def fresh_mb_per_frame(look: str, size: str, frames: int) -> float:
    """Run a look in this process and return the memory touched for the first time, in MB per frame."""
    faults: list[int] = []

    def on_frame(frame: Frame) -> None:
        if frame.frame_id in (_BURN_IN_FRAMES, _BURN_IN_FRAMES + frames):
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

    total, size_wh = _BURN_IN_FRAMES + frames + 10, parse_size(size)
    options = LiveOptions(source="demo", look=look, sinks=("null",), size_wh=size_wh, frames=total)
    Session(options, on_frame=on_frame, ctl=False).run()
    return (faults[1] - faults[0]) * resource.getpagesize() / 1e6 / frames


def main() -> None:
    """Print for each look the allocated memory per frame, in MB and as a multiple of the frame size."""
    parser = Parser("allocations", __doc__)
    parser.add_argument("--look", action="append", help=f"look to measure, {REPEATABLE} (default: all)")
    parser.add_size()
    parser.add_argument("--frames", type=whole(1, 10**7), default=200, help="measured frames (default: 200)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(f"{fresh_mb_per_frame(options.child, options.size, options.frames):.3f}", flush=True)
        os._exit(0)  # without waiting for an engine build in a library thread
    (width, height), looks = parse_size(options.size), load_looks()
    frame_mb = width * height * 3 / 1e6
    rows = []
    for look in [find_look(looks, name).name for name in options.look or looks]:
        command = [sys.executable, "-m", "benchmarks.allocations", "--child", look, "--size", options.size]
        command += ["--frames", str(options.frames)]
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": _MMAP_THRESHOLD_BYTES}
        child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if child.returncode:
            raise VeneerError(f"look {look}", f"the process ended with code {child.returncode}", "see its error above")
        fresh_mb = float(child.stdout)
        rows.append([look, fresh_mb, fresh_mb / frame_mb])
    print(header(machine()))
    print(f"{options.size}, one frame is {frame_mb:.2f} MB; memory allocated per frame over {options.frames} frames")
    print(table(["look", "MB", "frames"], rows))


if __name__ == "__main__":
    sys.exit(run_main("allocations", main))
