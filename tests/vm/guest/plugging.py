"""The webcam is unplugged and plugged in while the program runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from vm.guest import devices
from vm.guest.program import Program
from vm.guest.reader import Reader
from vm.guest.shell import LONG_S, await_true, has_open
from vm.guest.streaming import plain

_OTHER = "/dev/video1"  # the first free number


def unplugged_repeatedly(times: int) -> dict[str, Any]:
    """Unplug the webcam, unload and reload its module, and measure until pictures are live again."""
    program = plain()
    with Reader() as reader:
        reader.await_pictures(1)
        rounds = [_unplug_once(program, reader) for _ in range(times)]
    return {"rounds": rounds, "output": program.output(), "alive": program.alive}


def _unplug_once(program: Program, reader: Reader) -> dict[str, Any]:
    reader.await_change(time.monotonic())
    devices.unplug_webcam()
    unplugged_s = time.monotonic()
    released_s = await_true(lambda: not has_open(program.pid, devices.WEBCAM), LONG_S, "the webcam is released")
    devices.unload_webcam()
    gone = not Path(devices.WEBCAM).exists()
    # The last picture may still arrive; after that it is repeated.
    await_true(
        lambda: len(reader.came_s) > 2 and reader.came_s[-2] > reader.changed_s[-1], LONG_S, "the picture is repeated"
    )
    held_s = time.monotonic()
    reader.await_pictures(3)
    held = not any(at_s > held_s for at_s in reader.changed_s)
    there_s = devices.load_webcam()
    live_s = reader.await_change(there_s)
    return {"gone": gone, "held": held, "released_s": released_s - unplugged_s, "live_s": live_s - there_s}


def unplugged_while_open() -> dict[str, Any]:
    """Unplug the webcam and plug it in while its device is open, so that it gets another number.

    The program may release the device before the new one exists, so this process keeps it open too.
    """
    program = plain()
    with Reader() as reader:
        reader.await_pictures(1)
        reader.await_change(time.monotonic())
        name = devices.bus_name()
        held = os.open(devices.WEBCAM, os.O_RDWR | os.O_NONBLOCK)
        try:
            devices.unplug_webcam()
            devices.plug_in_webcam(name)
        finally:
            os.close(held)
        there_s = time.monotonic()
        nodes = sorted(path.name for path in Path("/dev").glob("video*"))
        await_true(lambda: has_open(program.pid, _OTHER), LONG_S, "the webcam is found under its new number")
        live_s = reader.await_change(time.monotonic())
        devices.unplug_webcam()
        await_true(lambda: not has_open(program.pid, _OTHER), LONG_S, "the webcam is released")
        devices.plug_in_webcam(name)  # under its first number, for the next scenario
        reader.await_change(time.monotonic())
    return {"nodes": nodes, "live_s": live_s - there_s, "output": program.output()}
