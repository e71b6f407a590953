"""Is memory flat? `python -m benchmarks.memory --frames 10000`: resident memory while frames go through."""

from __future__ import annotations

import os
import sys

from benchmarks.common.arguments import Parser, ended, whole
from benchmarks.common.machine_info import header, machine, resident_mb, table
from engines.errors import VeneerError
from engines.looks import find_look, load_looks
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.session import Session


def main() -> None:
    """Print resident memory at twenty points of the run, and the growth over its second half.

    Raises:
        VeneerError: a value is wrong, or the run fails.
    """
    parser = Parser("memory", __doc__)
    parser.add_argument("--frames", type=whole(40, 10**8), default=10_000)
    parser.add_argument("--look", default="glaze")
    wanted = parser.parse_args()
    find_look(load_looks(), wanted.look)
    every = max(1, wanted.frames // 20)
    seen: list[tuple[int, float]] = []

    def note(frame: Frame) -> None:
        if frame.frame_id % every == every - 1:
            seen.append((frame.frame_id + 1, resident_mb()))

    options = LiveOptions(source="demo", look=wanted.look, sinks=("null",), frames=wanted.frames)
    report = Session(options, on_frame=note, ctl=False).run()
    print(header(machine()))
    print(table(["frames", "resident MB"], seen))
    half = seen[len(seen) // 2 :]
    if len(half) < 2:
        raise VeneerError("memory", f"only {report['frames_out']} frames came out", "let the run end by itself")
    print(f"{report['frames_out']} frames; growth over the second half {half[-1][1] - half[0][1]:+.2f} MB")


if __name__ == "__main__":
    code = ended("memory", main)
    sys.stdout.flush()
    os._exit(code)  # as `benchmarks.soak`: a look that is still being made ready would make the runtime abort
