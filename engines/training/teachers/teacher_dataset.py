"""Pairs for training: aligned regions as inputs, a teacher's drawings of them as targets, made in several processes."""

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
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engines.errors import EngineError, OptionsError, os_errors
from engines.files import atomic_write
from engines.training import teachers
from engines.training.data.aligned import AlignedRegion, load_region, region_names
from engines.training.data.dataset_marker import DRAWN, SIDES, prepare_pairs
from engines.training.data.paired_dataset import VARIANT
from engines.training.data.webcam import light_curve, relit
from engines.training.teachers.blemishes import add_blemishes

_BLEMISHED = "b"


@dataclass(frozen=True, slots=True)
class _Task:
    """One pair to draw. The variant is "" (plain), "1" (relit) or "b1" (with blemishes)."""

    regions: Path
    name: str
    variant: str
    teacher: str
    out: Path
    side_px: int
    seed: int

    @property
    def stem(self) -> str:
        return self.name + (VARIANT + self.variant if self.variant else "")

    @property
    def pictures(self) -> list[Path]:
        return [self.out / side / f"{self.stem}.png" for side in SIDES]

    def done(self) -> bool:
        """Whether both pictures exist and are not older than their region."""
        source = (self.regions / f"{self.name}.png").stat().st_mtime_ns
        return all(path.is_file() and path.stat().st_mtime_ns >= source for path in self.pictures)


@dataclass(slots=True)
class DrawnPairs:
    """Counts of the pairs drawn now and of those that existed, and the unreadable regions."""

    drawn: int = 0
    existing: int = 0
    unreadable: list[str] = field(default_factory=list)


def draw_pairs(
    regions: Path, teacher: str, out: Path, *, side_px: int = 256, processes: int = 2, lights: int = 0,
    blemished: int = 0, seed: int = 0, on_pair: Callable[[int], None] = lambda _total: None,
) -> DrawnPairs:  # fmt: skip
    """Write out/before/NAME.png and out/after/NAME.png, both `side_px` square, for every region of a folder.

    Existing pairs are kept, so that an interrupted call can be repeated. After a change of the teacher's source or of
    these arguments all pairs are drawn again. Pairs whose region is gone are deleted. The result does not depend on the
    number of processes; these end with the calling process. Raises OptionsError if there are no regions or no such
    teacher, or the folder is full or holds other pictures; EngineError if a process died.

    Args:
        regions: Folder written by `calibration.sets.region_collector`.
        out: Folder of the pairs. Its `made.json` records how they were made.
        side_px: Side of the pictures. The teacher works at the region's own size; both pictures are then reduced. Two
            pictures of planes, one below the other, are twice as high.
        lights: Number of further pairs of each region, relit before the teacher draws: NAME~1.png ...
        blemished: Number of further pairs whose input has blemishes that the target lacks: NAME~b1.png ...
        on_pair: Called with the number of all pairs after each pair.
    """
    teachers.load_teacher(teacher)
    names = region_names(regions)
    if not names:
        raise OptionsError(f"regions in {regions}", "none there", "collect them from photos that show faces")
    variants = ["", *(str(i + 1) for i in range(lights)), *(f"{_BLEMISHED}{i + 1}" for i in range(blemished))]
    tasks = [_Task(regions, name, variant, teacher, out, side_px, seed) for name in names for variant in variants]
    key = {
        "teacher": teacher, "source": source_digest(teacher, blemishes=blemished > 0), "side_px": side_px,
        "lights": lights, "blemished": blemished, "seed": seed,
    }  # fmt: skip
    prepare_pairs(out, DRAWN, key, (task.stem for task in tasks))
    pending = [task for task in tasks if not task.done()]
    result = DrawnPairs(existing=len(tasks) - len(pending))
    for _ in range(result.existing):
        on_pair(len(tasks))
    for problem in _draw_all(pending, processes):
        result.drawn += not problem
        result.unreadable += [problem] if problem else []
        on_pair(len(tasks))
    return result


def source_digest(teacher: str, *, blemishes: bool = False) -> str:
    """Return the SHA-256 of the teacher's module and of the modules beside it that are no teachers."""
    folder = Path(teachers.__file__).parent
    skipped = {name for name in teachers.TEACHERS if name != teacher} | {"teacher_dataset"}
    skipped |= set() if blemishes else {"blemishes"}
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        if path.stem not in skipped:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _draw_all(tasks: list[_Task], processes: int) -> Iterator[str]:
    if processes <= 1 or len(tasks) <= 1:
        yield from map(_draw, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy PyTorch's locked threads
    try:
        with ProcessPoolExecutor(processes, context, initializer=_start_process) as pool:
            yield from pool.map(_draw, tasks)
    except BrokenProcessPool as error:
        got, do = "a process died (out of memory?)", "use --processes 1; finished pairs are kept"
        raise EngineError("drawing pairs", got, do) from error


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    cv2.setNumThreads(1)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End this process when the parent dies: a killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _draw(task: _Task) -> str:
    """Draw one pair; return what is wrong with the region, or ""."""
    for outdated in task.pictures:
        outdated.unlink(missing_ok=True)
    try:
        region = load_region(task.regions, task.name)
    except OptionsError as error:
        return f"{task.name}: {error.got}"
    rng = np.random.default_rng((task.seed, zlib.crc32(f"{task.name}{VARIANT}{task.variant}".encode())))
    before, clean = _inputs(region, task.variant, rng)
    after_rgb = teachers.load_teacher(task.teacher)(clean)
    for path, picture in zip(task.pictures, (before.rgb, after_rgb), strict=True):
        size_wh = task.side_px, task.side_px * picture.shape[0] // picture.shape[1]
        small_rgb = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
        with os_errors(f"pair {path}", "make room; finished pairs are kept"):
            atomic_write(path, cv2.imencode(".png", small_rgb[:, :, ::-1])[1].tobytes())
    return ""


def _inputs(region: AlignedRegion, variant: str, rng: np.random.Generator) -> tuple[AlignedRegion, AlignedRegion]:
    """Return the input of the generator and the input of the teacher."""
    if not variant:
        return region, region
    if variant.startswith(_BLEMISHED):
        return add_blemishes(region, rng), region
    lit = dataclasses.replace(region, rgb=relit(region.rgb, light_curve(rng)))
    return lit, lit
