"""Latency from camera to virtual camera: `python -m benchmarks.latency`.

Every frame carries its number in its pixels. With two v4l2loopback devices (modprobe v4l2loopback devices=2), this
program sends frames to the first device, `veneer run` reads them there and writes to the second device, and this
program reads that device as another application would. The latency then runs from writing to the first device to
reading from the second. Without such devices the frames run through the pipeline in this process; the latency then
runs from the complete frame in memory to the sink. The output names the method. The exposure, compression and transfer
of a real webcam are not included.

The source is the moving demo portrait at 30 frames per second. A frame counts as dropped if a later one was received
and it was not. Repeated frames count once. Frames that the look hides cannot be read.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from benchmarks.common.arguments import REPEATABLE, Parser, number, run_main, whole
from benchmarks.common.frame_stamp import NUMBERS, read_stamp, stamp
from benchmarks.common.machine_info import header, machine, table
from engines.errors import OptionsError, VeneerError
from engines.files import write_json
from engines.looks import find_look
from engines.looks_file import load_looks
from engines.runtime import autotune_choice
from live.option_values import parse_size
from live.options import LiveOptions
from live.pipeline.frame import Frame, ImageU8
from live.session import Session
from live.sinks.null_sink import NullSink
from live.sinks.virtual_camera import VirtualCameraSink
from live.sources.demo_source import DemoSource

VENEER = [sys.executable, "-m", "live"]
_START_TIMEOUT_S = 400.0  # until the first frame is received
_MAX_FRAMES = NUMBERS // 2  # a number must not occur twice
DEVICES, IN_PROCESS = "virtual webcam to virtual camera", "inside one process"


@dataclass
class FrameTimes:
    """Times at which numbered frames were sent and first received, in monotonic seconds; usable from any thread."""

    sent_s: dict[int, float] = field(default_factory=dict)
    received_s: dict[int, float] = field(default_factory=dict)
    unreadable: int = 0
    error: VeneerError | None = None

    def receive(self, picture_bgr: ImageU8, now_s: float) -> None:
        """Record a received frame."""
        frame_number = read_stamp(picture_bgr)
        if frame_number is None:
            self.unreadable += 1
        elif frame_number in self.sent_s:
            self.received_s.setdefault(frame_number, now_s)

    def report(self, burn_in: int) -> dict[str, Any]:
        """Return latency in ms and dropped frames, without the first `burn_in` received frames."""
        received = sorted(self.received_s)[burn_in:]
        if not received:
            raise VeneerError("latency", "no frame with a readable number was received", "try --look none")
        latency_ms = 1e3 * np.array([self.received_s[number] - self.sent_s[number] for number in received])
        sent = sum(received[0] <= number <= received[-1] for number in self.sent_s)
        p50, p95, p99 = (round(float(value), 2) for value in np.percentile(latency_ms, (50, 95, 99)))
        found = {"frames": sent, "dropped": sent - len(received), "unreadable": self.unreadable}
        return {**found, "latency_ms": {"p50": p50, "p95": p95, "p99": p99, "max": round(float(latency_ms.max()), 2)}}


class StampedDemo(DemoSource):
    """The demo in real time, with frame numbers in its pixels."""

    def __init__(self, size_wh: tuple[int, int], fps: float, times: FrameTimes) -> None:
        super().__init__(size_wh=size_wh, fps=fps, pace=True, frames=NUMBERS)
        self._times = times

    def read(self) -> Frame | None:
        """Return the next frame with its number, and record the time."""
        frame = super().read()
        if frame is None:
            return None
        stamp(frame.bgr, frame.frame_id)
        now_s = time.monotonic()
        self._times.sent_s[frame.frame_id] = now_s
        return Frame(frame.bgr, frame.frame_id, now_s)


class ReadingSink(NullSink):
    """Live sink that reads the frame numbers."""

    name, live = "reading", True

    def __init__(self, times: FrameTimes) -> None:
        super().__init__()
        self._times = times

    def send(self, frame: Frame) -> None:
        """Take the time, then read the number."""
        self._times.receive(frame.bgr, time.monotonic())


def in_process(look: str, size_wh: tuple[int, int], fps: float, frames: int) -> FrameTimes:
    """Run the frames through the pipeline in this process."""
    times = FrameTimes()
    options = LiveOptions(source="demo", look=look, sinks=("null",), size_wh=size_wh, fps=fps, frames=frames)
    # Only this look: preparing others in the background would disturb the measurement.
    looks = {look: autotune_choice.with_chosen_sizes(find_look(load_looks(), look))}
    source, sinks = StampedDemo(size_wh, fps, times), [ReadingSink(times)]
    Session(options, source=source, sinks=sinks, looks=looks, ctl=False).run()
    return times


def through_devices(
    look: str, size_wh: tuple[int, int], fps: float, frames: int, devices: tuple[str, str]
) -> FrameTimes:
    """Run the frames through a virtual webcam, `veneer run` and the virtual camera. Raises VeneerError if one fails."""
    camera, virtual_camera = devices
    times, stop = FrameTimes(), threading.Event()
    feeder = threading.Thread(target=_feed, args=(camera, size_wh, fps, times, stop), daemon=True)
    feeder.start()
    while len(times.sent_s) < 3 and times.error is None:  # a device without frames cannot be opened as a webcam
        time.sleep(0.05)
    if times.error is not None:
        raise times.error
    arguments = f"run --source {camera} --sink virtual-camera:{virtual_camera} --look {look} --fps {fps:g} --no-idle"
    size = f"{size_wh[0]}x{size_wh[1]}"
    with subprocess.Popen([*VENEER, *arguments.split(), "--size", size]) as program:
        try:
            _read(virtual_camera, frames, times, program)
        finally:
            stop.set()
            program.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.wait(10)
            program.kill()
            feeder.join(5)
    return times


def _feed(device: str, size_wh: tuple[int, int], fps: float, times: FrameTimes, stop: threading.Event) -> None:
    source, webcam = StampedDemo(size_wh, fps, times), VirtualCameraSink(device)
    source.open()
    try:
        webcam.open(size_wh=size_wh, fps=fps)
        while not stop.is_set() and (frame := source.read()) is not None:
            webcam.send(frame)
    except VeneerError as error:
        times.error = error
    finally:
        webcam.close()
        source.close()


def _read(device: str, frames: int, times: FrameTimes, program: subprocess.Popen[bytes]) -> None:
    """Read the virtual camera until enough numbers were received."""
    capture, end_s = cv2.VideoCapture(), time.monotonic() + _START_TIMEOUT_S
    while len(times.received_s) < frames:
        if program.poll() is not None:
            raise VeneerError("veneer run", f"it ended with code {program.returncode}", "see its error above")
        if time.monotonic() > end_s and not times.received_s:
            raise VeneerError(device, f"no numbered frame within {_START_TIMEOUT_S:.0f} s", "try --look none")
        if not capture.isOpened():
            time.sleep(0.2)  # with exclusive_caps the device opens only after the first write
            capture.open(device, cv2.CAP_V4L2)
            continue
        read, picture_bgr = capture.read()
        if read and picture_bgr is not None:
            times.receive(np.asarray(picture_bgr, np.uint8), time.monotonic())
    capture.release()


def find_devices(camera: str | None, virtual_camera: str | None) -> tuple[tuple[str, str] | None, str]:
    """Return the two v4l2loopback devices to use; or None and the reason. Naming only one is an OptionsError."""
    if (camera is None) != (virtual_camera is None):
        raise OptionsError("--camera and --virtual-camera", "only one of them is named", "name both, or none")
    if camera is not None and virtual_camera is not None:
        return (camera, virtual_camera), ""
    from live.sinks.virtual_camera_help import loopback_devices

    found = [str(path) for path in loopback_devices()] if sys.platform.startswith("linux") else []
    if len(found) >= 2:
        return (found[0], found[1]), ""
    return None, f"{len(found)} v4l2loopback devices found, two are needed"


def _parser() -> Parser:
    parser = Parser("latency", __doc__)
    parser.add_argument("--look", action="append", help=f"look to apply, {REPEATABLE} (default: glaze)")
    parser.add_size()
    parser.add_argument("--fps", type=number(1, 240), default=30.0, help="frame rate (default: 30)")
    parser.add_argument("--frames", type=whole(1, _MAX_FRAMES), default=600, help="measured frames (default: 600)")
    parser.add_argument("--burn-in", type=whole(0, _MAX_FRAMES), default=60, help="frames before them (default: 60)")
    parser.add_argument("--camera", help="v4l2loopback device that serves as the webcam (default: detected)")
    parser.add_argument("--virtual-camera", help="v4l2loopback device that veneer writes to (default: detected)")
    parser.add_argument("--in-process", action="store_true", help="do not use devices")
    parser.add_file("--json")
    return parser


def main() -> None:
    """Measure, print a table and write JSON."""
    options = _parser().parse()
    size_wh, total, looks = parse_size(options.size), options.burn_in + options.frames, load_looks()
    names = [find_look(looks, name).name for name in options.look or ["glaze"]]
    about = machine()
    if options.in_process:
        devices, detail = None, "requested"
    else:
        devices, detail = find_devices(options.camera, options.virtual_camera)
    method = DEVICES if devices else IN_PROCESS
    print(header(about))
    print(f"measured: {method} ({' to '.join(devices) if devices else detail}), {options.size} at {options.fps:g} fps")
    rows, runs = [], []
    for look in names:
        arguments = (look, size_wh, options.fps, total)
        times = through_devices(*arguments, devices) if devices else in_process(*arguments)
        report = times.report(options.burn_in)
        runs.append({"look": look, "measured": method, "size": options.size, "fps": options.fps, **report})
        latencies = [float(value) for value in report["latency_ms"].values()]
        rows.append([look, *latencies, report["frames"], report["dropped"], report["unreadable"]])
    print(table(["look", "p50 ms", "p95 ms", "p99 ms", "max ms", "frames", "dropped", "unreadable"], rows))
    write_json("--json", options.json, {"machine": about, "runs": runs})


if __name__ == "__main__":
    sys.exit(run_main("latency", main))
