"""Makes calibration sets: the built-in one of the portrait, and the user's own of photos and clips."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from calibration.sets.hard_cases import hard_cases
from calibration.sets.region_collector import collect
from engines import calibration_set
from engines.cache import cache_lock
from engines.cache.cache_entry import cache_home
from engines.cache.engine_cache import file_digest, print_line
from engines.calibration_set import CASES, CLIP, MARKER
from engines.errors import OptionsError, SourceError
from engines.training.data.aligned import region_names
from engines.training.data.webcam import Webcam, light_curve, relit
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr
from live.sources.still_picture import PICTURE_SUFFIXES, read_picture
from live.sources.video_source import VideoSource

CLIP_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
CLIP_FRAMES = 12  # that follow each other
_WAIT_S = 900.0  # for another process that fills a set: longer than a thousand photos take
_KINDS = ("head", "frame")
_SIDE_PX = 512
_LIGHTS = 4  # the built-in set shows the portrait in
_CLIP_STILLS = (0, 75, 150, 225)  # frames of a clip that are taken as photos are
_CLIP_BEGINS = 30
BUILT_IN_PICTURES = _LIGHTS * len(CASES) + CLIP_FRAMES


@dataclass(slots=True)
class Gathered:
    """What became of what was offered.

    Attributes:
        sources: photos and clips that gave at least one region.
        regions: how many are in the set now.
        faceless: photos and clips without a face.
        unreadable: those that could not be read, with the reason.
        left_out: how many there were beyond the number that was asked for.
    """

    sources: int = 0
    regions: int = 0
    faceless: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    left_out: int = 0


def built_in(*, on_picture: Callable[[], None] = lambda: None, say: Callable[[str], None] = print_line) -> Path:
    """The set of the portrait in several lights, made where it is not there yet: by one process, while others wait.

    Args:
        on_picture: called after each of `BUILT_IN_PICTURES`, where they are made here.
        say: told what happens, a line at a time.

    Raises:
        OptionsError: the cache folder cannot be written to.
        SourceError: the portrait is not there.
        TrackingError: no face model.
    """
    folder = calibration_set.built_in_folder()
    if calibration_set.marker(folder) is not None:
        return folder
    with _alone("built-in", say, verb="making", what="the built-in calibration set"):
        if calibration_set.marker(folder) is None:  # else another process has just made it
            with _adding_to(folder):
                _add(folder, "portrait", _portraits(), on_picture)
                _add(folder, "portrait", _portrait_clip(), on_picture)
    return folder


def own_set(
    places: Sequence[Path],
    *,
    most: int | None = None,
    seed: int = 0,
    on_source: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = print_line,
) -> Gathered:
    """Add the regions of photos and clips, and of the hard cases made from them, to the user's own set.

    A photo or clip that is in it already is made anew. Of a clip four frames are taken as photos, and twelve that
    follow each other. While another process adds to the set, this one waits.

    Args:
        places: folders, looked through with those below, or single files.
        most: photos and clips at most, drawn by `seed`.
        seed: see above.
        on_source: called after each photo or clip.
        say: told what happens, a line at a time.

    Raises:
        OptionsError: nothing there, no face on any, or the set's folder cannot be written to.
        TrackingError: no face model.
    """
    sources, done = sources_in(places), Gathered()
    if most is not None and len(sources) > most:
        drawn = sorted(np.random.default_rng(seed).permutation(len(sources))[:most])
        sources, done.left_out = [sources[i] for i in drawn], len(sources) - most
    folder = calibration_set.own_folder()
    with _alone("own", say, verb="adding to", what="your own calibration set"), _adding_to(folder):
        for source in sources:
            _add_source(folder, source, done)
            on_source()
        done.regions = len(region_names(folder))
    if not done.sources:
        where = ", ".join(str(place) for place in places)
        got = f"no face in {len(done.faceless)} photos and clips, {len(done.unreadable)} unreadable"
        raise OptionsError(f"calibration regions from {where}", got, "name photos or clips that show faces")
    return done


def sources_in(places: Sequence[Path]) -> list[Path]:
    """All photos and clips in some places, sorted; one that is there under two names is taken once.

    Raises:
        OptionsError: a place is not there, or there is nothing in any.
    """
    suffixes = (*PICTURE_SUFFIXES, *CLIP_SUFFIXES)
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise OptionsError(f"photos in {place}", "there is no such folder", "name a folder of photos or clips")
        inside = [place] if place.is_file() else place.rglob("*")
        found += [path for path in inside if path.suffix.lower() in suffixes and path.name[0] != "."]
    if not found:
        where = ", ".join(str(place) for place in places)
        raise OptionsError(f"photos in {where}", "no photos or clips there", f"use {', '.join(suffixes)}")
    return list({os.path.realpath(path): path for path in sorted(found, reverse=True)}.values())[::-1]


def _alone(name: str, say: Callable[[str], None], *, verb: str, what: str) -> AbstractContextManager[bool]:
    """One process at a time fills a set: two would take each other's half-written pictures away."""
    lock = cache_home() / ".locks" / f"set-{name}.lock"
    return cache_lock.hold_lock(lock, say=say, wait_s=_WAIT_S, verb=verb, what=what)


class _adding_to:  # noqa: N801 - a context manager
    """The set's marker is away while it is filled: half a set is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / MARKER).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        names = region_names(self._folder)
        if error is not None or not names:
            return
        digest = hashlib.sha256()
        for name in names:
            for suffix in (".png", ".npz"):
                digest.update(f"{name}{suffix} {file_digest(self._folder / (name + suffix))}\n".encode())
        part = self._folder / f".{MARKER}.{os.getpid()}.part"
        try:
            part.write_text(json.dumps({"digest": digest.hexdigest(), "regions": len(names)}) + "\n", encoding="utf-8")
            part.replace(self._folder / MARKER)
        except OSError as refused:
            raise self._refused(refused) from refused

    def _refused(self, error: OSError) -> OptionsError:
        return OptionsError(f"calibration set in {self._folder}", error.strerror or str(error), "make room there")


Named = tuple[str, ImageU8]  # the case, and the picture in BGR


def _portraits() -> Iterator[Named]:
    """The portrait as it is, and as webcams in other lights would send it, each with its hard cases."""
    webcam = Webcam()
    for light in range(_LIGHTS):
        rng = np.random.default_rng(light)
        picture_bgr = portrait_bgr()
        if light:
            rgb = np.ascontiguousarray(picture_bgr[:, :, ::-1])
            picture_bgr = np.ascontiguousarray(webcam.spoil(relit(rgb, light_curve(rng)), rng)[:, :, ::-1])
        for case, bgr in hard_cases(picture_bgr, rng).items():
            yield f"light-{light}.{case}", bgr


def _portrait_clip() -> Iterator[Named]:
    """The portrait, drifting and growing by fractions of a pixel, under sensor noise."""
    still, rng = portrait_bgr(), np.random.default_rng(0)
    height, width = still.shape[:2]
    for number in range(CLIP_FRAMES):
        turned = cv2.getRotationMatrix2D((width / 2, height / 2), 0.15 * number, 1 + 0.002 * number)
        matrix = turned + np.array([[0, 0, 0.6 * number], [0, 0, -0.35 * number]])
        moved = cv2.warpAffine(still, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        noisy = moved + rng.normal(0, 2, moved.shape)
        yield f"{CLIP}-{number:03d}", np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _add_source(folder: Path, source: Path, done: Gathered) -> None:
    try:
        name = f"{source.stem.replace('.', '_')}-{file_digest(source)[:8]}"
        pictures = _photo(source) if source.suffix.lower() in PICTURE_SUFFIXES else _clip(source)
        found = _add(folder, name, pictures)
    except (SourceError, OSError) as error:
        done.unreadable.append(f"{source}: {error.got if isinstance(error, SourceError) else error.strerror}")
        return
    if found:
        done.sources += 1
    else:
        done.faceless.append(str(source))


def _photo(path: Path) -> Iterator[Named]:
    rng = np.random.default_rng(0)
    yield from hard_cases(read_picture(path), rng).items()


def _clip(path: Path) -> Iterator[Named]:
    source, rng = VideoSource(path), np.random.default_rng(0)
    try:
        source.open()
        for number in range(_CLIP_STILLS[-1] + 1):
            frame = source.read()
            if frame is None:
                return
            if number in _CLIP_STILLS:
                yield from ((f"{number:03d}.{case}", bgr) for case, bgr in hard_cases(frame.bgr, rng).items())
            if _CLIP_BEGINS <= number < _CLIP_BEGINS + CLIP_FRAMES:
                yield f"{CLIP}-{number:03d}", hard_cases(frame.bgr, rng)["plain"]
    finally:
        source.close()


def _add(
    folder: Path, name: str, pictures: Iterable[Named], on_picture: Callable[[], None] = lambda: None
) -> int:  # fmt: skip
    """Cut the regions of some pictures of one source into a set; returns how many."""
    with TemporaryDirectory(prefix="veneer-") as kept:
        names: dict[Path, str] = {}
        for case, picture_bgr in pictures:
            path = Path(kept, f"{len(names):04d}.png")
            if not cv2.imwrite(str(path), picture_bgr, (cv2.IMWRITE_PNG_COMPRESSION, 1)):
                raise OptionsError(f"pictures in {kept}", "they cannot be written", "make room there")
            names[path] = f"{name}.{case}"
        return collect(list(names), folder, kinds=_KINDS, side_px=_SIDE_PX, names=names, on_photo=on_picture).regions
