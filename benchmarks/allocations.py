"""How much fresh memory a frame takes: `python -m benchmarks.allocations`.

Each look runs in a process of its own whose C library fetches every array above 500 kB from the system anew
(`MALLOC_MMAP_THRESHOLD_`, GNU libc): the pages that are touched for the first time are then the frame-sized arrays
that were made, by this program and by the libraries under it. Linux only.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys

from benchmarks.common.arguments import Parser, ended, whole
from benchmarks.common.machine_info import header, machine, table
from engines.errors import VeneerError
from engines.looks import find_look, load_looks
from live.options import LiveOptions, parse_size
from live.pipeline.frame import Frame
from live.session import Session

_BURN_IN = 300  # arrays that are kept have been made by then
_ABOVE = "500000"


def fresh_mb_per_frame(look: str, size: str, frames: int) -> float:
    """Megabytes of pages touched for the first time, per frame, in this process."""
    seen: list[int] = []

    def count(frame: Frame) -> None:
        if frame.frame_id in (_BURN_IN, _BURN_IN + frames):
            seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

    options = LiveOptions(
        source="demo", look=look, sinks=("null",), size_wh=parse_size(size), frames=_BURN_IN + frames + 10
    )
    Session(options, on_frame=count, ctl=False).run()
    return (seen[1] - seen[0]) * resource.getpagesize() / 1e6 / frames


def main() -> None:
    """Print a table: look, megabytes of fresh memory a frame, and how many frames that is.

    Raises:
        VeneerError: a value is wrong, or a look cannot be measured.
    """
    parser = Parser("allocations", __doc__)
    parser.add_argument("--look", action="append")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=whole(1, 10**7), default=200)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.child:
        print(f"{fresh_mb_per_frame(wanted.child, wanted.size, wanted.frames):.3f}", flush=True)
        os._exit(0)  # a better engine may still be on its way in a thread of a library
    (width, height), looks = parse_size(wanted.size), load_looks()
    frame_mb = width * height * 3 / 1e6
    rows = []
    for look in [find_look(looks, name).name for name in wanted.look or looks]:
        command = [sys.executable, "-m", "benchmarks.allocations", "--child", look, "--size", wanted.size]
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": _ABOVE}
        said = subprocess.run(
            [*command, "--frames", str(wanted.frames)], env=environment, stdout=subprocess.PIPE, text=True
        )
        if said.returncode:
            raise VeneerError(f"look {look}", f"it ended with code {said.returncode}", "its own line above says why")
        fresh_mb = float(said.stdout)
        rows.append([look, fresh_mb, fresh_mb / frame_mb])
    print(header(machine()))
    print(f"{wanted.size}, one frame has {frame_mb:.2f} MB; fresh memory a frame over {wanted.frames} frames")
    print(table(["look", "MB", "frames"], rows))


if __name__ == "__main__":
    sys.exit(ended("allocations", main))
