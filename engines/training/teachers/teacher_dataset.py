"""Pairs from a teacher: aligned regions in, the teacher's pictures of them out, in several processes."""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engines.errors import EngineError, OptionsError
from engines.training import teachers
from engines.training.data.aligned import AlignedRegion, load_region, region_names
from engines.training.data.dataset_marker import MADE, ready_pairs
from engines.training.data.paired_dataset import VARIANT
from engines.training.data.picture_pairs import ImageU8
from engines.training.data.webcam import light_curve, relit

_BLEMISHED = "b"
_WAITING = 4  # tasks for each process at a time: few, so that Ctrl-C is quick


@dataclass(frozen=True, slots=True)
class _Task:
    regions: Path
    name: str
    variant: str  # "", "1" (another light), "b1" (blemished)
    teacher: str
    out: Path
    side_px: int
    seed: int

    @property
    def stem(self) -> str:
        return self.name + (VARIANT + self.variant if self.variant else "")

    @property
    def pictures(self) -> tuple[Path, Path]:
        return self.out / "before" / f"{self.stem}.png", self.out / "after" / f"{self.stem}.png"

    def done(self) -> bool:
        """Both pictures are there, and not older than their region."""
        source = (self.regions / f"{self.name}.png").stat().st_mtime_ns
        return all(path.is_file() and path.stat().st_mtime_ns >= source for path in self.pictures)


@dataclass(slots=True)
class Made:
    """What became of the regions: pairs made now, pairs that were there, and unreadable regions by name."""

    made: int = 0
    there: int = 0
    unreadable: list[str] = field(default_factory=list)


def make_pairs(
    regions: Path, teacher: str, out: Path, *, side_px: int = 256, processes: int = 2, lights: int = 0,
    blemished: int = 0, seed: int = 0, on_pair: Callable[[int], None] = lambda _total: None,
) -> Made:  # fmt: skip
    """Write out/before/NAME.png and out/after/NAME.png, both `side_px` square, for every region of a folder.

    Pairs that are there are kept: a stopped run is gone on with. After a change of the teacher's source or of these
    arguments all are made anew; pairs of regions that are gone are taken away. The order of the processes changes
    nothing. A process that draws ends with the one that called.

    Args:
        regions: written by `calibration.sets.region_collector`.
        teacher: one of `teachers.TEACHERS`.
        out: the folder; it gets `made.json`, which says what the pairs were made by.
        side_px: of the pictures. The teacher works at the region's own size, and both are averaged down.
        processes: how many draw at once.
        lights: more pairs of each region in another light, which the teacher sees: NAME~1.png ...
        blemished: more pairs whose input has blemishes that the target has not: NAME~b1.png ...
        seed: of the lights and blemishes.
        on_pair: told the number of all pairs, after each.

    Raises:
        OptionsError: no regions, no such teacher, or the folder is full, or holds pictures of other origin.
        EngineError: a process died.
    """
    teachers.load_teacher(teacher)
    names = region_names(regions)
    if not names:
        raise OptionsError(f"regions in {regions}", "none there", "collect them from photos that show faces")
    key = {"teacher": teacher, "source": source_digest(teacher, blemishes=blemished > 0), "side_px": side_px}
    variants = ["", *(str(i + 1) for i in range(lights)), *(f"{_BLEMISHED}{i + 1}" for i in range(blemished))]
    tasks = [_Task(regions, name, variant, teacher, out, side_px, seed) for name in names for variant in variants]
    ready_pairs(
        out, MADE, {**key, "lights": lights, "blemished": blemished, "seed": seed}, (task.stem for task in tasks)
    )
    made = Made()
    wanted = []
    for task in tasks:
        if task.done():
            made.there += 1
            on_pair(len(tasks))
        else:
            wanted.append(task)
    for trouble in _worked(wanted, processes):
        made.made += not trouble
        made.unreadable += [trouble] if trouble else []
        on_pair(len(tasks))
    return made


def source_digest(teacher: str, *, blemishes: bool = False) -> str:
    """SHA-256 of the teachers' folder without the other teachers, and of the blemishes where they are used."""
    folder = Path(teachers.__file__).parent
    others = {name for name in teachers.TEACHERS if name != teacher}
    files = [path for path in sorted(folder.glob("*.py")) if path.stem not in others]
    digest = hashlib.sha256()
    for path in [*files, *([folder.parent / "blemishes.py"] if blemishes else [])]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _worked(tasks: list[_Task], processes: int) -> Iterator[str]:
    if processes <= 1 or len(tasks) <= 1:
        yield from map(_make, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a fork would share PyTorch's threads
    pool = ProcessPoolExecutor(processes, context, initializer=_start)
    try:
        waiting: set[Future[str]] = set()
        for task in tasks:
            waiting.add(pool.submit(_make, task))
            if len(waiting) >= _WAITING * processes:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in waiting)
    except BrokenProcessPool as error:
        got, do = "a process died (out of memory?)", "try --processes 1; what was made is kept"
        raise EngineError("making pairs", got, do) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """A parent that was killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _make(task: _Task) -> str:
    """Make one pair; returns what is wrong with the region, or nothing."""
    for old in task.pictures:  # of a region that was another then
        old.unlink(missing_ok=True)
    try:
        region = load_region(task.regions, task.name)
    except OptionsError as error:
        return f"{task.name}: {error.got}"
    dice = np.random.default_rng((task.seed, zlib.crc32(f"{task.name}{VARIANT}{task.variant}".encode())))
    before, clean = _inputs(region, task.variant, dice)
    after_rgb = teachers.load_teacher(task.teacher)(clean)
    for path, picture in zip(task.pictures, (before.rgb, after_rgb), strict=True):
        _write(path, cv2.resize(picture, (task.side_px, task.side_px), interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    return ""


def _inputs(region: AlignedRegion, variant: str, dice: np.random.Generator) -> tuple[AlignedRegion, AlignedRegion]:
    """What the generator is to see and what the teacher sees."""
    if not variant:
        return region, region
    if variant.startswith(_BLEMISHED):
        from engines.training.teachers.blemishes import add_blemishes

        return add_blemishes(region, dice), region
    lit = dataclasses.replace(region, rgb=relit(region.rgb, light_curve(dice)))
    return lit, lit


def _write(path: Path, picture_rgb: ImageU8) -> None:
    part = path.with_suffix(".part")
    try:
        part.write_bytes(cv2.imencode(".png", picture_rgb[:, :, ::-1])[1].tobytes())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        do = "make room; what was made is kept"
        raise OptionsError(f"pair {path}", error.strerror or str(error), do) from error
