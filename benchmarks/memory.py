"""Memory growth over time: `python -m benchmarks.memory --frames 10000`.

Runs the demo through the whole program without output and reports the resident memory.
"""

from __future__ import annotations

import os
import sys

from benchmarks.common.arguments import Parser, run_main, whole
from benchmarks.common.machine_info import header, machine, resident_mb, table
from engines.errors import VeneerError
from engines.looks import find_look, load_looks
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.session import Session


def main() -> None:
    """Print the resident memory at twenty points of the run, and the growth over its second half."""
    parser = Parser("memory", __doc__)
    parser.add_argument("--frames", type=whole(40, 10**8), default=10_000, help="number of frames (default: 10000)")
    parser.add_look()
    options = parser.parse_args()
    find_look(load_looks(), options.look)
    interval = max(1, options.frames // 20)
    samples: list[tuple[int, float]] = []

    def on_frame(frame: Frame) -> None:
        if frame.frame_id % interval == interval - 1:
            samples.append((frame.frame_id + 1, resident_mb()))

    live_options = LiveOptions(source="demo", look=options.look, sinks=("null",), frames=options.frames)
    report = Session(live_options, on_frame=on_frame, ctl=False).run()
    print(header(machine()))
    print(table(["frames", "resident MB"], samples))
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        raise VeneerError("memory", f"only {report['frames_out']} frames came out", "do not interrupt the run")
    print(f"{report['frames_out']} frames; growth over the second half {half[-1][1] - half[0][1]:+.2f} MB")


if __name__ == "__main__":
    code = run_main("memory", main)
    sys.stdout.flush()
    os._exit(code)  # without waiting for a look that is still being prepared: the runtime would abort
