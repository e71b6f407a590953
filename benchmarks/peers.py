"""How long the generators that a user would otherwise pick take: `python -m benchmarks.peers`.

The same region of a real face through AutoRetouch, pix2pix's U-Net, CycleGAN's ResNet-9, U-GAT-IT light,
Photo2Cartoon's and AnimeGANv2's generators, beside this project's own, in the same runtimes, in one run. All but our
own have random weights, for only time counts: the quality of the pictures is not compared. Calls of all networks in
all runtimes take turns, so that noise falls on all of them alike; ratios are of medians.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common.arguments import Parser
from benchmarks.common.machine_info import header, machine
from benchmarks.peer_comparison.chart import chart
from benchmarks.peer_comparison.comparison import compare, printed
from benchmarks.peer_comparison.peer_networks import OURS, PEERS
from benchmarks.peer_comparison.peer_runtimes import RUNTIMES, missing
from engines.errors import VeneerError
from live.sources.still_picture import write_picture

NOTES = (
    "Only time counts here: all networks but ours have random weights, and picture quality is not compared.",
    "One face a call, from NASA's portrait, cut as live cuts it. On the CPU bytes go in and floats come out; on a GPU",
    "the region lies in its memory already. GMAC: convolutions and matrix products, without products with zeros.",
    f"x ours: how many times as long as {OURS} in the same runtime. x torch: how many times as fast as eager PyTorch",
    "FP32 with the same network on the same device. off: mean difference from its answer, of 255. Where the calls are",
    "few, p95 is little more than the slowest. INT8: the engine that live runs, made now where it was not there.",
)
_MOST_S = 3600.0
_QUIET = 0.05  # of the cores, busy with something else


def main() -> None:
    """Measure, print a table, write what was asked for."""
    about = f"Networks: {', '.join(PEERS)}. Runtimes: {', '.join(RUNTIMES)}."
    parser = Parser("peers", f"{__doc__}\n{about}")
    asked = _asked(parser)
    nets = [name for name in PEERS if name in (asked.net or PEERS)]
    usable, lacking = _runtimes(parser, asked.runtime or list(RUNTIMES), nets)
    found: dict[str, Any] = {"machine": machine(), "threads": asked.threads, "seconds": asked.seconds}
    print(header(found["machine"]))
    print(f"threads: PyTorch {asked.threads}, OpenVINO {asked.threads}", *NOTES, sep="\n")
    print(*(f"not here: {runtime}: {why}" for runtime, why in lacking.items()), sep="\n", flush=True)
    try:
        run = compare(nets, usable, seconds=asked.seconds, threads=asked.threads)
        print(printed(run.rows))
        if run.others_cores is not None and run.others_cores > _QUIET * _cores():
            print(f"other programs kept {run.others_cores:.1f} of {_cores()} cores busy: measure again without them")
        found |= {"notes": " ".join(NOTES), "missing": lacking, "sources": {name: PEERS[name].source for name in nets}}
        _write(asked, found | asdict(run))
    except VeneerError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{error.filename or 'the result'}: {error.strerror or error}; name another file, or make room")
    except KeyboardInterrupt:
        parser.exit(130, "stopped before anything was timed\n")
    if not run.whole:
        parser.exit(130, "stopped early: fewer calls were timed than asked for\n")


def _asked(parser: Parser) -> argparse.Namespace:
    """The arguments; wrong ones end the program with one line and exit code 2, before anything is computed."""
    parser.add_argument("--net", action="append", choices=PEERS, metavar="NET", help="several times; all if not given")
    parser.add_argument("--runtime", action="append", choices=RUNTIMES, metavar="RUNTIME", help="likewise")
    parser.add_argument("--seconds", type=float, default=80.0, help="of timing in all (default: 80)")
    parser.add_argument("--threads", type=int, default=_cores(), help="of PyTorch and of OpenVINO (default: all cores)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON there")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="write a chart of the medians there")
    asked = parser.parse_args()
    if not 0 < asked.seconds <= _MOST_S:
        parser.error(f"--seconds {asked.seconds:g}: must be more than 0 and at most {_MOST_S:g}")
    if not 1 <= asked.threads <= _cores():
        parser.error(f"--threads {asked.threads}: this machine has {_cores()} cores, use 1 to {_cores()}")
    for option, path in (("--json", asked.json), ("--plot", asked.plot)):
        if path is not None and (path.is_dir() or not os.access(path.resolve().parent, os.W_OK)):
            parser.error(f"{option} {path}: no file can be written there; name one in a folder that exists")
    if asked.plot is not None and asked.plot.suffix.lower() != ".png":
        parser.error(f"--plot {asked.plot}: must end in .png")
    return asked


def _runtimes(parser: Parser, wanted: Sequence[str], nets: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those that can be used here, in the order of the table, and why the others cannot."""
    own = [one for name in nets if (one := PEERS[name].own)]
    lacking = {runtime: why for runtime in RUNTIMES if runtime in wanted and (why := missing(runtime, own))}
    usable = [runtime for runtime in RUNTIMES if runtime in wanted and runtime not in lacking]
    if not usable:
        said = "; ".join(f"{runtime}: {why}" for runtime, why in lacking.items())
        parser.error(f"--runtime: not usable here ({said}); torch-fp32 always is")
    return usable, lacking


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write(asked: argparse.Namespace, found: dict[str, Any]) -> None:
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    bars = [(row["net"], row["runtime"], row["median_ms"]) for row in found["rows"] if row["median_ms"]]
    if asked.plot is not None and bars:
        write_picture(asked.plot, chart(bars))


if __name__ == "__main__":
    main()
