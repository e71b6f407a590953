"""The latency benchmark on real devices: it feeds the webcam and reads the virtual camera.

The face mesh does not run: it takes longer for a frame here than the frames' interval.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from vm.guest import devices
from vm.guest.program import stop_all
from vm.guest.shell import EXCHANGE, run

_LOOK = "none"


def stamped_frames(frames: int) -> dict[str, Any]:
    """Run `benchmarks.latency` with the two loopback devices; return its output and results."""
    stop_all()
    devices.load_cameras()
    results = EXCHANGE / "latency.json"
    arguments = ["--camera", devices.FED, "--virtual-camera", devices.VIRTUAL, "--look", _LOOK, "--size", "320x180"]
    arguments += ["--fps", "5", "--burn-in", "3", "--frames", str(frames), "--json", str(results)]
    printed = run(sys.executable, "-m", "vm.guest.stamped", *arguments, timeout_s=900)
    return {"printed": printed, "runs": json.loads(results.read_text())["runs"]}


def _measure() -> None:
    from benchmarks import latency

    latency.VENEER = [sys.executable, "-m", "vm.guest.launch", _LOOK]
    latency.main()


if __name__ == "__main__":
    _measure()
