"""Records a moving noise picture: `python record_program.py PATH MODE`.

Frames are sent as fast as possible, with timestamps 1/30 s apart; after each the number of frames is printed. MODE is
"on" (until killed or interrupted), "full" (until the disk is full; prints the error, then "closed" if `close` raises
none) or "limit" (as "full", with a file size limit of 600 kB).
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
    path, mode = Path(sys.argv[1]), sys.argv[2]
    if mode == "limit":
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    interrupted = threading.Event()  # as in `veneer`: an exception would be lost in FFmpeg's callbacks
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
