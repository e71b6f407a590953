"""The latency benchmark on real devices: it feeds the webcam and reads the virtual camera.

The face mesh does not run: it takes longer for a frame here than the frames' interval.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from vm.guest import devices
from vm.guest.forked import Forked
from vm.guest.program import stop_all
from vm.guest.shell import EXCHANGE

_LOOK = "none"


def stamped_frames(frames: int) -> dict[str, Any]:
    """Run `benchmarks.latency` with the two loopback devices; return its output and results."""
    stop_all()
    devices.load_cameras()
    results = EXCHANGE / "latency.json"
    arguments = ["--camera", devices.FED, "--virtual-camera", devices.VIRTUAL, "--look", _LOOK, "--size", "320x180"]
    arguments += ["--fps", "5", "--burn-in", "3", "--frames", str(frames), "--json", str(results)]
    benchmark = Forked(_measure, *arguments)
    if status := benchmark.await_end(900):
        raise RuntimeError(f"the benchmark ended with {status}: {benchmark.output()[-800:]}")
    return {"printed": benchmark.output(), "runs": json.loads(results.read_text())["runs"]}


def _measure(*arguments: str) -> None:
    from benchmarks import latency

    latency.VENEER = [sys.executable, "-m", "vm.guest.launch", _LOOK]
    sys.argv = ["latency", *arguments]
    latency.main()
