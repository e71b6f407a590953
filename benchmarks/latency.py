"""How late the picture is, from camera to virtual camera: `python -m benchmarks.latency`.

Every frame carries a number in its pixels. With two v4l2loopback devices (modprobe v4l2loopback devices=2) this program
plays the webcam on the first one, `veneer run` takes it from there to the second one, and this program reads that as
any other program would: latency runs from the moment a frame is given to the webcam device to the moment it has been
read from the virtual camera, with all conversions and hand-overs. Without such devices the same frames go through the
same pipeline inside one process: from the moment a frame is complete in memory to the moment a sink has it. What was
measured is said with the numbers; a real webcam's exposure, compression and cable are in neither.

The portrait of the demo moves before the camera, 30 frames a second. A frame counts as dropped when a later one came
out and it never did. Frames that come out several times count at their first time. What the look has blurred, because
it was late or saw no face, cannot be read.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common.arguments import Parser, check_writable, ended, number, whole, write_text
from benchmarks.common.frame_stamp import NUMBERS, read_stamp, stamp
from benchmarks.common.machine_info import header, machine, table
from engines.errors import OptionsError, VeneerError
from engines.looks import find_look, load_looks
from engines.runtime import autotune_choice
from live.options import LiveOptions, parse_size
from live.pipeline.frame import Frame, ImageU8
from live.session import Session
from live.sinks.base import FrameSink
from live.sinks.virtual_camera import VirtualCameraSink
from live.sources.base import FrameSource, SourceInfo
from live.sources.demo_source import DemoSource

_START_S = 400.0  # so long the program may take to its first frame
DEVICES, IN_PROCESS = "virtual webcam to virtual camera", "inside one process"


@dataclass
class Journey:
    """When numbered frames went in and came out, in monotonic seconds, and why none go in; from any thread."""

    in_s: dict[int, float] = field(default_factory=dict)
    out_s: dict[int, float] = field(default_factory=dict)
    unreadable: int = 0
    failed: VeneerError | None = None

    def came_out(self, picture_bgr: ImageU8, now_s: float) -> None:
        """A picture came out, for the first or another time."""
        number = read_stamp(picture_bgr)
        if number is None:
            self.unreadable += 1
        elif number in self.in_s:
            self.out_s.setdefault(number, now_s)

    def report(self, burn_in: int) -> dict[str, Any]:
        """Latency in milliseconds and drops, of the frames after the first `burn_in` that came out."""
        seen = sorted(self.out_s)[burn_in:]
        if not seen:
            raise VeneerError("latency", "not one frame came out with a number that can be read", "try --look none")
        late_ms = 1e3 * np.array([self.out_s[number] - self.in_s[number] for number in seen])
        sent = sum(seen[0] <= number <= seen[-1] for number in self.in_s)
        p50, p95, p99 = (round(float(value), 2) for value in np.percentile(late_ms, (50, 95, 99)))
        found = {"frames": sent, "dropped": sent - len(seen), "unreadable": self.unreadable}
        return {**found, "latency_ms": {"p50": p50, "p95": p95, "p99": p99, "max": round(float(late_ms.max()), 2)}}


class StampedDemo(FrameSource):
    """The demo with numbers in its pictures, as a camera that cannot be stopped from sending."""

    live = True

    def __init__(self, size_wh: tuple[int, int], fps: float, journey: Journey) -> None:
        self._demo = DemoSource(size_wh=size_wh, fps=fps, pace=True, frames=NUMBERS)  # no number comes twice
        self._journey = journey

    def open(self) -> SourceInfo:
        """As the demo."""
        return self._demo.open()

    def read(self) -> Frame | None:
        """The demo's next frame with its number."""
        frame = self._demo.read()
        if frame is None:
            return None
        stamp(frame.bgr, frame.frame_id)
        now_s = time.monotonic()
        self._journey.in_s[frame.frame_id] = now_s
        return Frame(frame.bgr, frame.frame_id, now_s)

    def close(self) -> None:
        """As the demo."""
        self._demo.close()


class ReadingSink(FrameSink):
    """Reads the numbers of what it is sent; live, as a virtual camera is."""

    name, live, main_thread = "reading", True, False

    def __init__(self, journey: Journey) -> None:
        self._journey = journey

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Nothing to open."""

    def send(self, frame: Frame) -> None:
        """Take the time first: reading is not part of the way."""
        self._journey.came_out(frame.bgr, time.monotonic())

    def close(self) -> None:
        """Nothing to close."""


def in_process(look: str, size_wh: tuple[int, int], fps: float, frames: int) -> Journey:
    """The frames through the pipeline in this process."""
    journey = Journey()
    options = LiveOptions(source="demo", look=look, sinks=("null",), size_wh=size_wh, fps=fps, frames=frames)
    # No other look: making it ready meanwhile would be measured too.
    styles_in_use = {look: autotune_choice.with_chosen_sizes(find_look(load_looks(), look))}
    source, sink = StampedDemo(size_wh, fps, journey), ReadingSink(journey)
    Session(options, source=source, sinks=[sink], looks=styles_in_use, ctl=False).run()
    return journey


def through_devices(look: str, size_wh: tuple[int, int], fps: float, frames: int, devices: tuple[str, str]) -> Journey:
    """The frames through a virtual webcam, `veneer run` and the virtual camera.

    Raises:
        VeneerError: a device does not open, or the program ends or sends nothing.
    """
    camera, virtual_camera = devices
    journey, over = Journey(), threading.Event()
    feeder = threading.Thread(target=_feed, args=(camera, size_wh, fps, journey, over), daemon=True)
    feeder.start()
    while len(journey.in_s) < 3 and journey.failed is None:  # nobody opens a webcam that has no picture
        time.sleep(0.05)
    if journey.failed is not None:
        raise journey.failed
    arguments = f"run --source {camera} --sink virtual-camera:{virtual_camera} --look {look} --fps {fps:g} --no-idle"
    size = f"{size_wh[0]}x{size_wh[1]}"
    with subprocess.Popen([sys.executable, "-m", "live", *arguments.split(), "--size", size]) as program:
        try:
            _read(virtual_camera, frames, journey, program)
        finally:
            over.set()
            program.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.wait(10)
            program.kill()
            feeder.join(5)
    return journey


def _feed(device: str, size_wh: tuple[int, int], fps: float, journey: Journey, over: threading.Event) -> None:
    """Play the webcam until it is over."""
    source, webcam = StampedDemo(size_wh, fps, journey), VirtualCameraSink(device)
    source.open()
    try:
        webcam.open(size_wh=size_wh, fps=fps)
        while not over.is_set() and (frame := source.read()) is not None:
            webcam.send(frame)
    except VeneerError as error:
        journey.failed = error
    finally:
        webcam.close()
        source.close()


def _read(device: str, frames: int, journey: Journey, program: subprocess.Popen[bytes]) -> None:
    """Read the virtual camera until enough numbers came out."""
    capture, end_s = cv2.VideoCapture(), time.monotonic() + _START_S
    while len(journey.out_s) < frames:
        if program.poll() is not None:
            raise VeneerError("veneer run", f"it ended with code {program.returncode}", "its own line above says why")
        if time.monotonic() > end_s and len(journey.out_s) == 0:
            raise VeneerError(device, f"no numbered frame came out within {_START_S:.0f} s", "try --look none")
        got, picture_bgr = capture.read() if capture.isOpened() else (False, None)
        now_s = time.monotonic()
        if got and picture_bgr is not None:
            journey.came_out(np.asarray(picture_bgr, np.uint8), now_s)
        elif not capture.isOpened():
            time.sleep(0.2)  # with exclusive_caps it opens only once something was written
            capture.open(device, cv2.CAP_V4L2)
    capture.release()


def find_devices(camera: str | None, virtual_camera: str | None) -> tuple[tuple[str, str] | None, str]:
    """The two v4l2loopback devices to use, or None and why not.

    Raises:
        OptionsError: only one of them is named.
    """
    if (camera is None) != (virtual_camera is None):
        raise OptionsError("--camera and --virtual-camera", "only one of them is named", "name both, or none")
    if camera is not None and virtual_camera is not None:
        return (camera, virtual_camera), ""
    from live.sinks.virtual_camera_help import loopback_devices

    found = [str(path) for path in loopback_devices()] if sys.platform.startswith("linux") else []
    if len(found) >= 2:
        return (found[0], found[1]), ""
    return None, f"{len(found)} v4l2loopback devices here, two are wanted"


def main() -> None:
    """Measure, print a table, write JSON.

    Raises:
        VeneerError: a value is wrong, or nothing can be measured.
    """
    parser, most = Parser("latency", __doc__), NUMBERS // 2  # no number comes twice
    parser.add_argument("--look", action="append", help="may be given several times; glaze if not given")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=number(1, 240), default=30.0)
    parser.add_argument("--frames", type=whole(1, most), default=600)
    parser.add_argument("--burn-in", type=whole(0, most), default=60)
    parser.add_argument("--camera", help="v4l2loopback device to play the webcam on; found if not given")
    parser.add_argument("--virtual-camera", help="v4l2loopback device that veneer sends to; found if not given")
    parser.add_argument("--in-process", action="store_true", help="use no devices")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    size_wh, total, looks = parse_size(wanted.size), wanted.burn_in + wanted.frames, load_looks()
    names = [find_look(looks, name).name for name in wanted.look or ["glaze"]]
    if wanted.json:
        check_writable("--json", wanted.json)
    about = machine()
    devices, why = (None, "as asked") if wanted.in_process else find_devices(wanted.camera, wanted.virtual_camera)
    way = DEVICES if devices else IN_PROCESS
    print(header(about))
    print(f"measured: {way} ({' to '.join(devices) if devices else why}), {wanted.size} at {wanted.fps:g} fps")
    rows, runs = [], []
    for look in names:
        go = (look, size_wh, wanted.fps, total)
        report = (through_devices(*go, devices) if devices else in_process(*go)).report(wanted.burn_in)
        runs.append({"look": look, "measured": way, "size": wanted.size, "fps": wanted.fps, **report})
        numbers = [float(value) for value in report["latency_ms"].values()]
        rows.append([look, *numbers, report["frames"], report["dropped"], report["unreadable"]])
    print(table(["look", "p50 ms", "p95 ms", "p99 ms", "max ms", "frames", "dropped", "unreadable"], rows))
    if wanted.json:
        write_text("--json", wanted.json, json.dumps({"machine": about, "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(ended("latency", main))
