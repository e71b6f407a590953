"""From the webcam device to readers of the virtual camera."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from vm.guest import devices
from vm.guest.program import Program, running
from vm.guest.reader import Reader, format_of
from vm.guest.shell import EXCHANGE, LONG_S, await_true, cpu_benchmark_s, cpu_s, has_open, run

SIZE, FPS = "320x180", 15
PLAIN = ("run", "--source", "0", "--look", "none", "--size", SIZE, "--fps", str(FPS))
PLAIN += ("--sink", f"virtual-camera:{devices.VIRTUAL}")


def plain() -> Program:
    """Run the program between webcam and virtual camera, without a look."""
    devices.make_ready()
    devices.stop_feeding()
    return running(*PLAIN)


def show_bars() -> None:
    """Let the webcam show 75 % bars; the counter in the corner changes every picture."""
    run("v4l2-ctl", "-d", devices.WEBCAM, "-c", "test_pattern=0,osd_text_mode=1")


def webcam_to_reader(pictures: int) -> dict[str, Any]:
    """Read the webcam's colour bars with ffmpeg, and capabilities and format with v4l2-ctl."""
    program = plain()
    show_bars()
    with Reader() as reader:
        reader.await_pictures(1)
        settled_s = _await_live(reader)
        first = len(reader.came_s)
        reader.await_pictures(pictures)
        reader.save(EXCHANGE / "bars.npy")
        facts = reader.facts()
        came_s = reader.came_s[first:]  # more pictures arrive meanwhile
        duration_s = came_s[-1] - came_s[0]
        facts["fps"] = (len(came_s) - 1) / duration_s
        facts["new_fps"] = sum(came_s[0] < at_s <= came_s[-1] for at_s in reader.changed_s) / duration_s
        other_size = _request_another_size()
    width, height, letters = format_of(devices.VIRTUAL)
    caps = run("v4l2-ctl", "-d", devices.VIRTUAL, "--info")
    facts |= {"format": [width, height, letters], "caps": caps, "live_after_s": settled_s - reader.opened_s}
    facts |= {"other_size": other_size}
    facts |= {"webcam": run("v4l2-ctl", "-d", devices.WEBCAM, "--get-fmt-video"), "output": program.output()}
    return facts


def _request_another_size() -> dict[str, Any]:
    """Request another size from the webcam's driver while it streams."""
    before = format_of(devices.WEBCAM)
    command = ["v4l2-ctl", "-d", devices.WEBCAM, "--set-fmt-video", "width=640,height=360"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S)
    return {"output": done.stdout + done.stderr, "changed": format_of(devices.WEBCAM) != before}


def _await_live(reader: Reader) -> float:
    """Wait until live pictures have replaced the card; return the arrival time of the third."""
    seen = len(reader.changed_s)
    await_true(lambda: len(reader.changed_s) >= seen + 3, LONG_S, "live pictures arrive")
    return reader.changed_s[seen + 2]


def two_readers() -> dict[str, Any]:
    """Read with two programs at once; then one leaves.

    The second starts after the first picture of the first: v4l2loopback 0.12 counts the mappings of its buffers without
    a lock, and may end the first one's stream when the second leaves, if both map them at the same time.
    """
    plain()
    show_bars()
    with Reader() as one:
        one.await_pictures(1)
        with Reader() as other:
            _await_live(other)
            other.await_pictures(15)
            both = {"one": one.facts(), "other": other.facts()}
            one.save(EXCHANGE / "one.npy")
            other.save(EXCHANGE / "other.npy")
        left_s = time.monotonic()
        one.await_change(left_s)
        one.await_pictures(15)
        gap_s = max(later - before for before, later in zip(one.came_s, one.came_s[1:], strict=False) if later > left_s)
    return {**both, "longest_gap_after_s": gap_s}


def reader_comes_and_goes(times: int) -> dict[str, Any]:
    """Connect and disconnect a reader repeatedly; in between, the webcam is released and almost no CPU is used."""
    program = plain()
    rounds = []
    for _ in range(times):
        with Reader() as reader:
            taken_s = await_true(lambda: has_open(program.pid, devices.WEBCAM), LONG_S, "the webcam is opened")
            live_s = _await_live(reader)
        left_s = time.monotonic()
        released_s = await_true(lambda: not has_open(program.pid, devices.WEBCAM), LONG_S, "the webcam is released")
        rounds.append(
            {
                "taken_s": taken_s - reader.opened_s,
                "live_s": live_s - reader.opened_s,
                "released_s": released_s - left_s,
            }
        )
    time.sleep(1)  # the last frame has passed
    before_s = cpu_s(program.pid)
    time.sleep(5)
    idle = (cpu_s(program.pid) - before_s) / 5
    facts = {"output": program.output(), "alive": program.alive}
    return {"rounds": rounds, "idle_cores": idle, "cpu_benchmark_s": cpu_benchmark_s(), **facts}
