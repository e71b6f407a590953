"""Speed of published generators beside this project's: `python -m benchmarks.peers`.

The same region of a real face runs through AutoRetouch, the U-Net of pix2pix, the ResNet-9 of CycleGAN, U-GAT-IT light,
and the generators of Photo2Cartoon and AnimeGANv2, beside this project's own, in the same runtimes and in one run. All
networks but this project's have random weights: only time is compared, not image quality. The calls of all networks in
all runtimes alternate, so that other load affects all of them equally; ratios are of medians.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from typing import Any

from benchmarks.common.arguments import INTERRUPTED, REPEATABLE, Parser, number, run_main, whole
from benchmarks.common.machine_info import header, machine
from benchmarks.peer_comparison.chart import draw
from benchmarks.peer_comparison.comparison import compare, report
from benchmarks.peer_comparison.peer_networks import OURS, PEERS
from benchmarks.peer_comparison.peer_runtimes import RUNTIMES
from engines.files import check_writable, write_json
from engines.runtime.base import usable_cores

NOTES = (
    "Only time is compared: all networks but ours have random weights, and image quality is not compared.",
    "One face per call, from NASA's portrait, cropped as in live use. On the CPU from bytes to floats; on a GPU input",
    "and output are in its memory. GMAC: convolutions and matrix products, without products with zeros.",
    f"x ours: time relative to {OURS} in the same runtime. x torch: speed relative to eager PyTorch FP32 with the same",
    "network on the same device. error: mean absolute difference from its output, of 255. With few calls, p95 is close",
    "to the maximum. INT8: the engine of live use, built now if necessary.",
)
_MAX_CONTENTION = 0.05  # share of the cores used by other programs


def main() -> int:
    """Measure, print a table, write the requested files, and return the exit code."""
    cores = usable_cores()
    parser = Parser("peers", f"{__doc__}\nNetworks: {', '.join(PEERS)}. Runtimes: {', '.join(RUNTIMES)}.")
    several = partial(parser.add_argument, action="append", help=f"{REPEATABLE} (default: all)")
    several("--net", choices=PEERS, metavar="NET")
    several("--runtime", choices=RUNTIMES, metavar="RUNTIME")
    add = parser.add_argument
    add("--seconds", type=number(0.01, 3600), default=80.0, help="timed seconds in total (default: 80)")
    add("--threads", type=whole(1, cores), default=cores, help="of PyTorch and of OpenVINO (default: all cores)")
    parser.add_file("--json")
    parser.add_file("--plot", "a PNG chart of the medians")
    options = parser.parse_args()
    check_writable("--json", options.json)
    check_writable("--plot", options.plot)
    nets = [name for name in PEERS if name in (options.net or PEERS)]
    runtimes = [runtime for runtime in RUNTIMES if runtime in (options.runtime or RUNTIMES)]
    found: dict[str, Any] = {"machine": machine(), "threads": options.threads, "seconds": options.seconds}
    print(header(found["machine"]))
    print(f"threads: PyTorch {options.threads}, OpenVINO {options.threads}", *NOTES, sep="\n", flush=True)
    result = compare(nets, runtimes, seconds=options.seconds, threads=options.threads)
    print(report(result.rows))
    if result.other_cores is not None and result.other_cores > _MAX_CONTENTION * cores:
        print(f"other programs used {result.other_cores:.1f} of {cores} cores: measure again without them")
    sources = {name: PEERS[name].source for name in nets}
    write_json("--json", options.json, {**found, "notes": " ".join(NOTES), "sources": sources, **asdict(result)})
    bars = [(row.net, row.runtime, row.median_ms) for row in result.rows if row.median_ms]
    if options.plot is not None and bars:
        draw(options.plot, bars)
    if result.complete:
        return 0 if bars else 1
    print("peers: stopped early: fewer calls were timed than requested", file=sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run_main("peers", main))
