"""The webcam goes away and comes back while the program runs."""

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

_OTHER = "/dev/video1"  # the first number that is free


def pulled_again_and_again(times: int) -> dict[str, Any]:
    """Pull the webcam, unload its module, load it again, and see when the pictures are live again."""
    program = plain()
    with Reader() as reader:
        reader.await_pictures(1)
        rounds = [_pull_once(program, reader) for _ in range(times)]
    return {"rounds": rounds, "said": program.said(), "alive": program.process.poll() is None}


def _pull_once(program: Program, reader: Reader) -> dict[str, Any]:
    reader.await_change(time.monotonic())
    devices.pull_webcam()
    pulled_s = time.monotonic()
    released_s = await_true(lambda: not has_open(program.pid, devices.WEBCAM), LONG_S, "the webcam is let go")
    devices.unload_webcam()
    gone = not Path(devices.WEBCAM).exists()
    # The last picture of before may still be on its way; then it stands.
    await_true(lambda: len(reader.came_s) > 2 and reader.came_s[-2] > reader.changed_s[-1], LONG_S, "it stands")
    held_s = time.monotonic()
    reader.await_pictures(3)
    held = not any(at_s > held_s for at_s in reader.changed_s)
    there_s = devices.load_webcam()
    live_s = reader.await_change(there_s)
    return {"gone": gone, "held": held, "released_s": released_s - pulled_s, "live_s": live_s - there_s}


def pulled_while_held() -> dict[str, Any]:
    """Pull it and put it back while the old one is still held: so the new one gets another number.

    The program itself may let go sooner than the new one is there; so it is held here, too.
    """
    program = plain()
    with Reader() as reader:
        reader.await_pictures(1)
        reader.await_change(time.monotonic())
        name = devices.bus_name()
        held = os.open(devices.WEBCAM, os.O_RDWR | os.O_NONBLOCK)
        try:
            devices.pull_webcam()
            devices.put_back_webcam(name)
        finally:
            os.close(held)
        there_s = time.monotonic()
        nodes = sorted(path.name for path in Path("/dev").glob("video*"))
        await_true(lambda: has_open(program.pid, _OTHER), LONG_S, "the webcam is found under its new number")
        live_s = reader.await_change(time.monotonic())
        devices.pull_webcam()
        await_true(lambda: not has_open(program.pid, _OTHER), LONG_S, "the webcam is let go")
        devices.put_back_webcam(name)  # under its first number, for whoever comes next
        reader.await_change(time.monotonic())
    return {"nodes": nodes, "live_s": live_s - there_s, "said": program.said()}
