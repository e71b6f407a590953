"""Devices in use by other programs, and v4l2loopback loaded without `exclusive_caps`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from vm.guest import devices
from vm.guest.forked import Forked
from vm.guest.launch import main as veneer
from vm.guest.program import START_S, stop_all
from vm.guest.reader import Reader
from vm.guest.shell import CAPTURE, LONG_S, await_true, device_caps, run


def devices_in_use(picture: str) -> dict[str, Any]:
    """The webcam streams to another program, and another program writes to the virtual camera."""
    stop_all()
    devices.make_ready()
    writer = devices.Feed(picture, devices.VIRTUAL)
    try:
        with Reader(devices.WEBCAM) as reader:
            reader.await_pictures(1)
            await_true(lambda: device_caps(devices.VIRTUAL) & CAPTURE, LONG_S, "ffmpeg writes to the virtual camera")
            no_webcam = Forked(veneer, "none", "run", "--source", "0", "--look", "none", "--sink", "null")
            to_virtual = ("--look", "none", "--sink", f"virtual-camera:{devices.VIRTUAL}")
            no_sink = Forked(veneer, "none", "run", "--source", "demo", "--size", "320x180", *to_virtual)
            ends = {"webcam": no_webcam.await_end(START_S), "virtual": no_sink.await_end(START_S)}
            reader.await_pictures(3)  # the other program continues
            names = {"webcam": reader.process.pid, "virtual": writer.process.pid}
    finally:
        writer.close()
    return {"ends": ends, "output": {"webcam": no_webcam.output(), "virtual": no_sink.output()}, "holders": names}


def doctor_on_plain_module() -> dict[str, Any]:
    """Run the doctor's camera checks, with the module loaded without and with exclusive_caps."""
    stop_all()
    devices.make_ready()
    found = {}
    for exclusive in (False, True):
        devices.load_cameras(exclusive=exclusive, fed=False)
        doctor = Forked(_print_camera_checks)
        doctor.await_end(400)
        found["with" if exclusive else "without"] = doctor.output()
    return {**found, "caps": run("v4l2-ctl", "-d", devices.VIRTUAL, "--info")}


def _print_camera_checks() -> None:
    from live.diagnostics.doctor import examine  # loaded already in the process that forks, not in this one

    print(json.dumps([asdict(check) for check in examine(only=("camera", "virtual camera"))]))
