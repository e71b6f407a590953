"""Shows the preview window: `python window_program.py WIDTH HEIGHT`.

The picture is blue with a yellow right half. Prints "open", each key, and "end" after "q" or 60 seconds.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from engines.errors import SinkError
from live.pipeline.frame import Frame
from live.sinks.preview_meter import MeterText
from live.sinks.window import WindowSink


def main() -> None:
    width, height = int(sys.argv[1]), int(sys.argv[2])
    keys: list[str] = []
    picture_bgr = np.full((height, width, 3), (200, 60, 20), np.uint8)
    picture_bgr[:, width // 2 :] = (20, 210, 230)
    before = picture_bgr.copy()

    def on_key(key: str) -> None:
        keys.append(key)
        print(key, flush=True)

    sink = WindowSink(on_key=on_key, meter=lambda: MeterText(("30 fps   9 / 13 ms", "glaze 80%"), banner="recording"))
    sink.pump()  # ignored before `open`
    try:
        sink.open(size_wh=(width, height), fps=30)
    except SinkError as error:
        print(f"error {error}", flush=True)
        return
    ends_s = time.monotonic() + 60
    shown = 0
    while "q" not in keys and time.monotonic() < ends_s:
        sink.send(Frame(picture_bgr, shown, time.monotonic()))
        for _ in range(3):
            time.sleep(0.01)
            sink.pump()
        shown += 1
        if shown == 2:
            print("open", flush=True)
    sink.send(Frame(picture_bgr, shown, time.monotonic()))  # a closed window must not reappear
    sink.pump()
    print("end" if (picture_bgr == before).all() else "the frame was modified", flush=True)
    sink.close()
    sink.close()
    print("closed", flush=True)


if __name__ == "__main__":
    main()
