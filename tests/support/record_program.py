"""A program of its own that records until it is told or killed: `python record_program.py PATH how`.

It sends frames of a moving noise picture, as fast as it can, each stamped 1/30 s after the one before, and prints the
number of frames sent so far, one line each. `how` is "on" (until killed), "full" (until the disk refuses; then the
error's text, and the error's absence from `close`) or "limit" (as "full", with files limited to 300 kB).
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import numpy as np

from engines.errors import SinkError
from live.pipeline.frame import Frame
from live.sinks.video_file import VideoFileSink


def main() -> None:
    path, how = Path(sys.argv[1]), sys.argv[2]
    if how == "limit":
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    interrupted = threading.Event()  # as in `veneer`: an exception would be lost where FFmpeg calls back into Python
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    noise = np.random.default_rng(0).integers(0, 255, (240, 640, 3), dtype=np.uint8)
    sink = VideoFileSink(path)
    sink.open(size_wh=(320, 240), fps=30)
    try:
        for number in range(100_000):
            if interrupted.is_set():
                print("interrupted", flush=True)
                break
            picture_bgr = np.ascontiguousarray(noise[:, number % 320 : number % 320 + 320])
            sink.send(Frame(picture_bgr, number, 0.0, number / 30))
            print(number + 1, flush=True)
    except SinkError as error:
        print(f"error {error}", flush=True)
    finally:
        sink.close()
        print("closed", flush=True)


if __name__ == "__main__":
    main()
