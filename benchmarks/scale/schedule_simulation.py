"""Simulates the schedule of very many films on many nodes, from the task times that a manifest has recorded.

    python -m benchmarks.scale.schedule_simulation OUT.veneer.jsonl --nodes 1000 --films 1000000

Every simulated film is drawn from the recorded ones (seconds, bytes in and out). A node has `--slots` tasks at a time;
a task fails with the probability `--failures` half-way and is done again; the share `--long` of the films is
`--factor` times as long, and each of these is divided into `--segments` tasks, which take a tenth longer together. The
driver hands out a task when one ends.
Printed are what the driver, the manifest and the storage see, and the longest tail, from the first idle slot on.
"""

from __future__ import annotations

import argparse
import heapq
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from live.batch.manifest import DONE

Floats = NDArray[np.float64]
_OVERLAP = 1.1  # six seconds before each minute are done twice


@dataclass(frozen=True, slots=True)
class Recorded:
    """Seconds, bytes in and out, and bytes of the manifest line of each recorded film."""

    seconds: Floats
    bytes_in: Floats
    bytes_out: Floats
    line_bytes: Floats


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a simulated run needs; seconds, requests and bytes a second."""

    hours: float
    tail_s: float
    efficiency: float
    tasks_per_s: float
    retries: int
    manifest_bytes: float
    manifest_bytes_per_s: float
    storage_requests_per_s: float
    read_bytes_per_s: float
    written_bytes_per_s: float
    in_flight: int


def recorded(manifest: Path) -> Recorded:
    """Read the complete films of a manifest."""
    lines = [line for line in manifest.read_bytes().splitlines() if line]
    records = [(json.loads(line), len(line) + 1) for line in lines]
    rows = [
        (one["seconds"], one["input"][0], one["output_bytes"], size)
        for one, size in records
        if one["state"] in DONE and one["frames"] > 1
    ]
    if not rows:
        raise SystemExit(f"{manifest}: no film is done in it")
    return Recorded(*np.array(rows, np.float64).T)


def simulate(
    times: Recorded,
    *,
    films: int,
    nodes: int,
    slots: int,
    failures: float,
    start_s: float,
    long_share: float,
    factor: float,
    segments: int = 1,
    seed: int = 0,
) -> Schedule:
    """Simulate one run.

    Args:
        films: Number of films.
        nodes: Number of nodes.
        slots: Tasks at a time on a node.
        failures: Probability that a task fails half-way.
        start_s: Seconds from the end of a task to the start of the next in its slot.
        long_share: Share of films that are longer than the recorded ones.
        factor: By how much they are longer.
        segments: Into how many tasks each of those is divided.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(times.seconds), films)
    is_long = random.random(films) < long_share
    longer = np.where(is_long, factor, 1.0)
    parts = np.where(is_long, segments, 1)
    seconds = np.repeat(times.seconds[drawn] * longer * np.where(parts > 1, _OVERLAP, 1.0) / parts, parts)
    lost = random.random(len(seconds)) < failures
    durations = seconds * np.where(lost, 1.5, 1.0) + start_s * np.where(lost, 2, 1)
    free_s = [0.0] * (nodes * slots)
    for duration in durations.tolist():  # in the order of their names: nothing is known about their lengths
        heapq.heapreplace(free_s, free_s[0] + duration)
    end_s, first_idle_s, tasks = max(free_s), min(free_s), len(seconds) + int(lost.sum())
    lines = float(times.line_bytes[drawn].sum())
    return Schedule(
        hours=end_s / 3600,
        tail_s=end_s - first_idle_s,
        efficiency=float(durations.sum()) / (end_s * nodes * slots),
        tasks_per_s=tasks / end_s,
        retries=int(lost.sum()),
        manifest_bytes=lines,
        manifest_bytes_per_s=lines / end_s,
        storage_requests_per_s=2 * tasks / end_s,  # one to read and one to write
        read_bytes_per_s=float((np.repeat(times.bytes_in[drawn] * longer / parts, parts) * (1 + lost)).sum()) / end_s,
        written_bytes_per_s=float((times.bytes_out[drawn] * longer).sum()) / end_s,
        in_flight=2 * nodes * slots,
    )


def main() -> None:
    """Print the schedule for the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--films", type=int, default=1_000_000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--failures", type=float, default=0.001)
    parser.add_argument("--start-s", type=float, default=0.05)
    parser.add_argument("--long", type=float, default=0.0)
    parser.add_argument("--factor", type=float, default=500.0)
    parser.add_argument("--segments", type=int, default=1)
    given = parser.parse_args()
    times = recorded(given.manifest)
    print(
        f"{len(times.seconds)} recorded films, {times.seconds.mean():.1f} s each, longest {times.seconds.max():.1f} s"
    )
    found = simulate(
        times,
        films=given.films,
        nodes=given.nodes,
        slots=given.slots,
        failures=given.failures,
        start_s=given.start_s,
        long_share=given.long,
        factor=given.factor,
        segments=given.segments,
    )
    for name in Schedule.__dataclass_fields__:
        print(f"{name:24} {getattr(found, name):,.3f}")


if __name__ == "__main__":
    main()
