"""Measures `veneer apply` on many files: two jobs against one, Ray against jobs, and a large manifest. Five minutes.

Two jobs are compared with one on pictures, and on one film that they do in segments.

    python -m benchmarks.scale.many_files [--look soft] [--pictures 60] [--films 6] [--long 120] [--lines 1000000]

On an idle machine of two cores or more. The start of the processes counts, as it does for the user.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live.batch.manifest import Manifest, Record
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame
from live.portrait import portrait_bgr
from live.sinks.video_file import VideoFileSink

_FILM_S, _FPS = 10, 25
_APPENDS = 1000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", default="soft")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--films", type=int, default=6)
    parser.add_argument("--long", type=int, default=120, help="seconds of the film that is divided")
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _manifest(folder / "big.jsonl", given.lines)
        _pictures(folder / "pictures", given.pictures)
        pictures = folder / "pictures"
        one, two = (_apply(pictures, folder / f"p{jobs}", given.look, "--jobs", str(jobs)) for jobs in (1, 2))
        rates = [given.pictures * 60 / seconds for seconds in (one, two)]
        print(f"pictures a minute: {rates[0]:.0f} with one job, {rates[1]:.0f} with two: {one / two:.2f}x")
        _films(folder / "long", 1, given.long)
        film = folder / "long" / "0.mp4"
        one, two = (_apply(film, folder / f"long{jobs}.mp4", given.look, "--jobs", str(jobs)) for jobs in (1, 2))
        print(f"a film of {given.long} s: {one:.1f} s with one job, {two:.1f} s in segments with two: {one / two:.2f}x")
        _films(folder / "films", given.films)
        jobs_s = _apply(folder / "films", folder / "f2", given.look, "--jobs", "2")
        ray_s = _on_two_nodes(folder / "films", folder / "fr", given.look)
        times = f"{jobs_s:.1f} s with two jobs, {ray_s:.1f} s with Ray on two nodes of one processor"
        print(f"{given.films} films of {_FILM_S} s: {times}: {100 * (ray_s / jobs_s - 1):+.1f} %")


def _apply(source: Path, output: Path, look: str, *more: str) -> float:
    """Run `veneer apply`; return seconds."""
    started_s = time.perf_counter()
    arguments = ["apply", str(source), str(output), "--look", look, *more]
    subprocess.run([sys.executable, "-m", "live", *arguments], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def _on_two_nodes(source: Path, output: Path, look: str) -> float:
    """Run it on a cluster that is already up."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    try:
        return _apply(source, output, look, "--cluster", str(cluster.address))
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


def _manifest(path: Path, lines: int) -> None:
    """Write a manifest of that many lines; print how long it takes to open, and to append."""
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


if __name__ == "__main__":
    main()
