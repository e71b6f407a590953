"""Measures `veneer apply` on many files: two jobs against one, Ray against jobs, and a large manifest.

Two jobs are compared with one on pictures, on films (also with one that may use one core only), and on one film that
they do in segments; Ray with two jobs on films. The ways are measured in turns; of films the quickest turn counts.
"Each further film" is the time of many films less that of a quarter of them, divided by their number: the start of the
processes or of Ray is not in it.

    python -m benchmarks.scale.many_files [PART ...] [--look soft] [--pictures 160] [--films 8] [--rounds 3]

Parts: pictures, films, long, ray, manifest; all take fifteen minutes. On an idle machine of two cores or more.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live.batch.manifest import Manifest, Record
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame
from live.portrait import portrait_bgr
from live.sinks.video_file import VideoFileSink

_FILM_S, _FPS = 10, 25
_APPENDS = 1000
_SETTLED_S = 10.0  # until the processes of Ray have started


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(_PARTS))
    parser.add_argument("--look", default="soft")
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--long", type=int, default=240, help="seconds of the film that is divided")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 2), help="of the cluster, with two processors")
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    for part in given.parts or _PARTS:
        with tempfile.TemporaryDirectory() as name:
            _PARTS[part](Path(name), given)


def _jobs_on_pictures(folder: Path, given: argparse.Namespace) -> None:
    _pictures(folder / "in", given.pictures)
    _compare_jobs(f"{given.pictures} pictures", folder / "in", folder, given)


def _jobs_on_films(folder: Path, given: argparse.Namespace) -> None:
    """Compare two jobs with one, and with one that may use one core only."""
    ways = {"--jobs 1": (), "one job on one core": ("taskset", "-c", "0"), "--jobs 2": ()}
    runs = {name: _Run(("--jobs", name[-1] if name[-1].isdigit() else "1"), prefix) for name, prefix in ways.items()}
    each_s = _each_further_film(runs, folder, given)
    for name in ("--jobs 1", "one job on one core"):
        print(f"two jobs against {name}: {each_s[name] / each_s['--jobs 2']:.2f}x the films a minute")
    for number in range(given.films):
        one, two = ((folder / f"0{name}{given.films}" / f"{number}.mp4").read_bytes() for name in runs if "--" in name)
        assert one == two, number


def _jobs_on_one_film(folder: Path, given: argparse.Namespace) -> None:
    _films(folder / "in", 1, given.long)
    _compare_jobs(f"a film of {given.long} s, with two in segments", folder / "in" / "0.mp4", folder, given)


def _compare_jobs(what: str, source: Path, folder: Path, given: argparse.Namespace) -> None:
    """Compare two jobs with one, and the bytes of their results if each file is done as a whole."""
    times: dict[int, list[float]] = {1: [], 2: []}
    for number in range(given.rounds):
        for jobs, taken in times.items():
            output = folder / f"{number}-{jobs}{source.suffix}"
            taken.append(_apply(source, output, given.look, "--jobs", str(jobs)))
        if source.is_dir():
            for path in source.iterdir():
                one, two = ((folder / f"{number}-{jobs}" / path.name).read_bytes() for jobs in times)
                assert one == two, path
    one_s, two_s = (statistics.median(taken) for taken in times.values())
    print(f"{what}: {one_s:.1f} s with one job, {two_s:.1f} s with two: {one_s / two_s:.2f}x; {_all(times)}")


def _ray_against_jobs(folder: Path, given: argparse.Namespace) -> None:
    """Compare Ray, on a cluster that is up, with as many jobs."""
    with _nodes(given.nodes) as address:
        runs = {"--jobs 2": _Run(("--jobs", "2")), "--cluster": _Run(("--cluster", address))}
        each_s = _each_further_film(runs, folder, given)
    more = each_s["--cluster"] / each_s["--jobs 2"] - 1
    print(f"Ray, on {given.nodes} nodes, against jobs: {100 * more:+.1f} % for each further film")


@dataclass(frozen=True, slots=True)
class _Run:
    """Arguments of `veneer apply`, and what comes before the command."""

    arguments: tuple[str, ...]
    prefix: tuple[str, ...] = ()


def _each_further_film(runs: dict[str, _Run], folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """Do films in each way, in turns; print times and processor time, and return the seconds of each further film."""
    few, many = counts = max(2, given.films // 4), given.films
    for count in counts:
        _films(folder / f"in{count}", count)
    times: dict[str, dict[int, list[tuple[float, float]]]] = {name: {few: [], many: []} for name in runs}
    for number in range(given.rounds):
        for name, run in runs.items():
            for count in counts:
                before_s, output = _busy_s(), folder / f"{number}{name}{count}"
                taken_s = _apply(folder / f"in{count}", output, given.look, *run.arguments, prefix=run.prefix)
                times[name][count].append((taken_s, _busy_s() - before_s))
    each_s = {}
    for name, of in times.items():
        (few_s, few_busy_s), (many_s, many_busy_s) = (
            (min(values) for values in zip(*of[count], strict=True)) for count in counts
        )
        each_s[name] = (many_s - few_s) / (many - few)
        print(f"{name}: {many} films of {_FILM_S} s {many_s:.1f} s, start {few_s - few * each_s[name]:.1f} s, each "
              f"further film {each_s[name]:.2f} s and {(many_busy_s - few_busy_s) / (many - few):.2f} s of processors; "
              + "; ".join(f"{count}: {' '.join(f'{taken_s:.1f}' for taken_s, _ in of[count])}" for count in counts),
              flush=True)  # fmt: skip
    return each_s


def _busy_s() -> float:
    """Return the seconds that the processors of this machine have worked; 0.0 where that is not known."""
    with contextlib.suppress(OSError):
        user, nice, system = Path("/proc/stat").read_text().split()[1:4]
        return sum(map(int, (user, nice, system))) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _all(times: dict[Any, list[float]]) -> str:
    return ", ".join(f"{way}: {' '.join(f'{seconds:.1f}' for seconds in taken)}" for way, taken in times.items())


def _apply(source: Path, output: Path, look: str, *more: str, prefix: tuple[str, ...] = ()) -> float:
    """Run `veneer apply`; return seconds."""
    started_s = time.perf_counter()
    arguments = ["apply", str(source), str(output), "--look", look, *more]
    subprocess.run([*prefix, sys.executable, "-m", "live", *arguments], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started_s


@contextlib.contextmanager
def _nodes(count: int) -> Iterator[str]:
    """A cluster of two processors whose tasks have the priority of this process; yield its address.

    Args:
        count: 1 for one node of two processors, as `ray start --head` makes it; 2 for two of one, and a head without.
    """
    os.environ.update({"RAY_worker_niceness": "0"})  # else they yield to all other programs
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2 if count == 1 else 0})
    for _ in range(2 if count > 1 else 0):
        cluster.add_node(num_cpus=1)
    time.sleep(_SETTLED_S)
    try:
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def _pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    picture_bgr = portrait_bgr()
    for index in range(count):
        write_picture(folder / f"{index:04}.png", picture_bgr[index % 64 :])


def _films(folder: Path, count: int, seconds: int = _FILM_S) -> None:
    folder.mkdir()
    picture_bgr = portrait_bgr()
    for number in range(count):
        sink = VideoFileSink(folder / f"{number}.mp4")
        sink.open(size_wh=(480, 448), fps=_FPS)
        for index in range(seconds * _FPS):
            at = abs(index % 64 - 32)
            sink.send(Frame(picture_bgr[at : at + 448, at : at + 480].copy(), index, 0.0, index / _FPS))
        sink.close()


def _manifest(folder: Path, given: argparse.Namespace) -> None:
    """Write a manifest of that many lines; print how long it takes to open, and to append."""
    path, lines = folder / "big.jsonl", given.lines
    recipe = {"look": "0" * 16, "weights": "0" * 16, "veneer": "0.1.0", "openvino": "2026.2.0"}
    line = Record("@", "done", "@", (10**8, 10**18), 10**8, recipe, "toon: openvino int8", 250, 12.5).line()
    with path.open("wb") as file:
        for index in range(lines):
            file.write(line.replace(b"@", b"folder/film-%08d.mp4" % index))
    started_s = time.perf_counter()
    manifest = Manifest(path)
    open_s = time.perf_counter() - started_s
    started_s = time.perf_counter()
    for index in range(_APPENDS):
        manifest.append(Record(f"new-{index}.mp4", "done"))
    append_ms = (time.perf_counter() - started_s) * 1e3 / _APPENDS
    size_mb = path.stat().st_size / 1e6
    print(f"manifest of {lines} lines, {size_mb:.0f} MB: opens in {open_s:.2f} s, appends in {append_ms:.3f} ms")


_PARTS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "pictures": _jobs_on_pictures,
    "films": _jobs_on_films,
    "long": _jobs_on_one_film,
    "ray": _ray_against_jobs,
    "manifest": _manifest,
}

if __name__ == "__main__":
    main()
