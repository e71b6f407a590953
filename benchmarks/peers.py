"""Speed of published generators beside this project's: `python -m benchmarks.peers`.

The same region of a real face runs through AutoRetouch, the U-Net of pix2pix, the ResNet-9 of CycleGAN, U-GAT-IT light,
and the generators of Photo2Cartoon and AnimeGANv2, beside this project's own, in the same runtimes and in one run. All
networks but this project's have random weights: only time is compared, not image quality. The calls of all networks in
all runtimes alternate, so that other load affects all of them equally; ratios are of medians.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.common.arguments import INTERRUPTED, REPEATABLE, Parser, run_main
from benchmarks.common.machine_info import header, machine
from benchmarks.peer_comparison.chart import draw
from benchmarks.peer_comparison.comparison import compare, report
from benchmarks.peer_comparison.peer_networks import OURS, PEERS
from benchmarks.peer_comparison.peer_runtimes import RUNTIMES, missing
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
_MAX_S = 3600.0
_MAX_CONTENTION = 0.05  # share of the cores used by other programs


def main() -> int:
    """Measure, print a table, write the requested files, and return the exit code."""
    parser = Parser("peers", f"{__doc__}\nNetworks: {', '.join(PEERS)}. Runtimes: {', '.join(RUNTIMES)}.")
    options = _parse(parser)
    nets = [name for name in PEERS if name in (options.net or PEERS)]
    available, unavailable = _runtimes(parser, options.runtime or list(RUNTIMES), nets)
    found: dict[str, Any] = {"machine": machine(), "threads": options.threads, "seconds": options.seconds}
    print(header(found["machine"]))
    print(f"threads: PyTorch {options.threads}, OpenVINO {options.threads}", *NOTES, sep="\n")
    for runtime, reason in unavailable.items():
        print(f"not available: {runtime}: {reason}", flush=True)
    result = compare(nets, available, seconds=options.seconds, threads=options.threads)
    print(report(result.rows))
    cores = usable_cores()
    if result.other_cores is not None and result.other_cores > _MAX_CONTENTION * cores:
        print(f"other programs used {result.other_cores:.1f} of {cores} cores: measure again without them")
    found |= {"notes": " ".join(NOTES), "missing": unavailable}
    found |= {"sources": {name: PEERS[name].source for name in nets}, **asdict(result)}
    write_json("--json", options.json, found)
    bars = [(row.net, row.runtime, row.median_ms) for row in result.rows if row.median_ms]
    if options.plot is not None and bars:
        draw(options.plot, bars)
    if result.complete:
        return 0
    print("peers: stopped early: fewer calls were timed than requested", file=sys.stderr)
    return INTERRUPTED


def _parse(parser: Parser) -> argparse.Namespace:
    """Parse the arguments; invalid ones end the program with one line and exit code 2."""
    cores = usable_cores()
    parser.add_argument("--net", action="append", choices=PEERS, metavar="NET", help=f"{REPEATABLE} (default: all)")
    parser.add_argument(
        "--runtime", action="append", choices=RUNTIMES, metavar="RUNTIME", help=f"{REPEATABLE} (default: all)"
    )
    parser.add_argument("--seconds", type=float, default=80.0, help="timed seconds in total (default: 80)")
    parser.add_argument("--threads", type=int, default=cores, help="of PyTorch and of OpenVINO (default: all cores)")
    parser.add_file("--json")
    parser.add_file("--plot", "a PNG chart of the medians")
    options = parser.parse_args()
    if not 0 < options.seconds <= _MAX_S:
        parser.error(f"--seconds {options.seconds:g}: must be more than 0 and at most {_MAX_S:g}")
    if not 1 <= options.threads <= cores:
        parser.error(f"--threads {options.threads}: this machine has {cores} cores, use 1 to {cores}")
    check_writable("--json", options.json)
    check_writable("--plot", options.plot)
    if options.plot is not None and options.plot.suffix.lower() != ".png":
        parser.error(f"--plot {options.plot}: must end in .png")
    return options


def _runtimes(parser: Parser, requested: Sequence[str], nets: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the available runtimes in the order of the table, and the reasons for the others."""
    own = [style for name in nets if (style := PEERS[name].own)]
    runtimes = [runtime for runtime in RUNTIMES if runtime in requested]
    unavailable = {runtime: reason for runtime in runtimes if (reason := missing(runtime, own))}
    available = [runtime for runtime in runtimes if runtime not in unavailable]
    if not available:
        reasons = "; ".join(f"{runtime}: {reason}" for runtime, reason in unavailable.items())
        parser.error(f"--runtime: not available here ({reasons}); torch-fp32 always is")
    return available, unavailable


if __name__ == "__main__":
    sys.exit(run_main("peers", main))
