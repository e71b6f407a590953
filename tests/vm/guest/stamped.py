"""The latency benchmark on real devices: a webcam that it plays, the program, and the virtual camera that it reads."""

from __future__ import annotations

import json
import sys
from typing import Any

from vm.guest import devices
from vm.guest.program import stop_all
from vm.guest.shell import EXCHANGE, run


def stamped_frames(frames: int) -> dict[str, Any]:
    """What `benchmarks.latency` prints and writes when it is told to use the two loopback devices."""
    stop_all()
    devices.load_cameras()
    kept = EXCHANGE / "latency.json"
    words = ["--camera", devices.FED, "--virtual-camera", devices.VIRTUAL, "--look", "none", "--size", "320x180"]
    words += ["--fps", "5", "--burn-in", "3", "--frames", str(frames), "--json", str(kept)]
    printed = run(sys.executable, "-m", "benchmarks.latency", *words, timeout_s=900)
    return {"printed": printed, "runs": json.loads(kept.read_text())["runs"]}
