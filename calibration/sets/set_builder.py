"""Creation of calibration sets: the built-in set from the portrait, and the user's own from photos and clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from calibration.sets.hard_cases import hard_cases
from calibration.sets.region_collector import Collected, collect, media_in, sampled
from engines.cache import cache_lock, calibration_set
from engines.cache.cache_entry import cache_home, file_digest
from engines.cache.calibration_set import CASES, CLIP, MARKER
from engines.cache.engine_cache import print_line
from engines.errors import OptionsError, SourceError, os_errors
from engines.files import atomic_write
from engines.training.data.aligned import region_names
from engines.training.data.webcam import light_curve, relit, spoil
from live.picture_files.picture_reader import PICTURE_SUFFIXES, read_picture
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr
from live.sources.video_source import film_frames

CLIP_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
CLIP_FRAMES = 12  # consecutive frames per clip
_LOCK_TIMEOUT_S = 900.0  # longer than a thousand photos take
_KINDS = ("head", "frame")
_LIGHTS = 4  # illuminations of the portrait in the built-in set
_STILL_FRAMES = (0, 75, 150, 225)  # frames of a clip that are used like photos
_SEQUENCE_BEGIN = 30
BUILT_IN_PICTURES = _LIGHTS * len(CASES) + CLIP_FRAMES

NamedPicture = tuple[str, ImageU8]  # name of the case, and the image in BGR


@dataclass(slots=True)
class Gathered(Collected):
    """Result of adding photos and clips: `sources` gave a region, `left_out` exceeded the maximum."""

    sources: int = 0
    left_out: int = 0


def built_in(*, on_picture: Callable[[], None] = lambda: None, say: Callable[[str], None] = print_line) -> Path:
    """Create the built-in set if it does not exist, and return its folder. Other processes wait meanwhile.

    `on_picture` is called after each of the `BUILT_IN_PICTURES` images. Raises OptionsError, SourceError or
    TrackingError if the cache folder cannot be written, or the portrait or the face model is missing.
    """
    folder = calibration_set.built_in_folder()
    if calibration_set.marker(folder) is not None:
        return folder
    lock = cache_home() / ".locks" / "set-built-in.lock"
    with cache_lock.hold_lock(
        lock, say=say, wait_s=_LOCK_TIMEOUT_S, verb="creating", what="the built-in calibration set"
    ):
        if calibration_set.marker(folder) is None:  # otherwise another process has created it meanwhile
            with _update(folder):
                _add(folder, "portrait", _portraits(), on_picture)
                _add(folder, "portrait", _portrait_clip(), on_picture)
    return folder


def own_set(
    places: Sequence[Path],
    *,
    most: int | None = None,
    seed: int = 0,
    on_source: Callable[[], None] = lambda: None,
) -> Gathered:
    """Add the regions of photos and clips, and their hard variants, to the user's own set.

    A photo or clip that is already in the set is replaced. Four frames of a clip are used like photos, and twelve
    consecutive frames as a sequence. If there are more than `most`, a random sample is used. Waits while another
    process updates the set. Raises OptionsError if no photo or clip was found, none shows a face, or the folder of the
    set cannot be written; TrackingError if the face model cannot be loaded.
    """
    suffixes = (*PICTURE_SUFFIXES, *CLIP_SUFFIXES)
    found = media_in(places, suffixes, "photos", "photos or clips")
    sources = sampled(found, most, seed)
    result = Gathered(left_out=len(found) - len(sources))
    folder, lock = calibration_set.own_folder(), cache_home() / ".locks" / "set-own.lock"
    with (
        cache_lock.hold_lock(
            lock, say=print_line, wait_s=_LOCK_TIMEOUT_S, verb="adding to", what="your own calibration set"
        ),
        _update(folder),
    ):
        for source in sources:
            _add_source(folder, source, result)
            on_source()
        result.regions = len(region_names(folder))
    if not result.sources:
        where = ", ".join(map(str, places))
        got = f"no face in {len(result.faceless)} photos and clips, {len(result.unreadable)} unreadable"
        raise OptionsError(f"calibration regions from {where}", got, "name photos or clips that show faces")
    return result


@contextmanager
def _update(folder: Path) -> Iterator[None]:
    """Remove the marker of a set while it is filled, and write it if the block succeeds."""
    with os_errors(f"calibration set in {folder}", "free some disk space"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).unlink(missing_ok=True)
    yield
    names = region_names(folder)
    if not names:
        return
    digest = hashlib.sha256()
    for name in names:
        for suffix in (".png", ".npz"):
            digest.update(f"{name}{suffix} {file_digest(folder / (name + suffix))}\n".encode())
    with os_errors(f"calibration set in {folder}", "free some disk space"):
        atomic_write(folder / MARKER, json.dumps({"digest": digest.hexdigest(), "regions": len(names)}) + "\n")


def _portraits() -> Iterator[NamedPicture]:
    """Yield the portrait and its simulated webcam images in other illuminations, each with its hard variants."""
    for light in range(_LIGHTS):
        rng = np.random.default_rng(light)
        picture_bgr = portrait_bgr()
        if light:
            rgb = np.ascontiguousarray(picture_bgr[:, :, ::-1])
            picture_bgr = np.ascontiguousarray(spoil(relit(rgb, light_curve(rng)), rng)[:, :, ::-1])
        for case, bgr in hard_cases(picture_bgr, rng).items():
            yield f"light-{light}.{case}", bgr


def _portrait_clip() -> Iterator[NamedPicture]:
    """Yield a sequence of the portrait with sub-pixel motion, slow zoom and sensor noise of 2 levels."""
    still_bgr, rng = portrait_bgr(), np.random.default_rng(0)
    height, width = still_bgr.shape[:2]
    for number in range(CLIP_FRAMES):
        rotation = cv2.getRotationMatrix2D((width / 2, height / 2), 0.15 * number, 1 + 0.002 * number)
        matrix = rotation + np.array([[0, 0, 0.6 * number], [0, 0, -0.35 * number]])
        moved = cv2.warpAffine(still_bgr, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        noisy = moved + rng.normal(0, 2, moved.shape)
        yield f"{CLIP}-{number:03d}", np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _add_source(folder: Path, source: Path, result: Gathered) -> None:
    try:
        name = f"{source.stem.replace('.', '_')}-{file_digest(source)[:8]}"
        is_picture = source.suffix.lower() in PICTURE_SUFFIXES
        cases = hard_cases(read_picture(source), np.random.default_rng(0)).items() if is_picture else _clip(source)
        regions = _add(folder, name, cases)
    except (SourceError, OSError) as error:
        result.unreadable.append(f"{source}: {error.got if isinstance(error, SourceError) else error.strerror}")
        return
    if regions:
        result.sources += 1
    else:
        result.faceless.append(str(source))


def _clip(path: Path) -> Iterator[NamedPicture]:
    rng = np.random.default_rng(0)
    with closing(film_frames(path)) as frames:
        for number, frame in enumerate(islice(frames, _STILL_FRAMES[-1] + 1)):
            if number in _STILL_FRAMES:
                yield from ((f"{number:03d}.{case}", bgr) for case, bgr in hard_cases(frame.bgr, rng).items())
            if _SEQUENCE_BEGIN <= number < _SEQUENCE_BEGIN + CLIP_FRAMES:
                yield f"{CLIP}-{number:03d}", hard_cases(frame.bgr, rng)["plain"]


def _add(
    folder: Path, name: str, pictures: Iterable[NamedPicture], on_picture: Callable[[], None] = lambda: None
) -> int:
    """Extract the regions of the images of one source into a set; return the number of regions."""
    with TemporaryDirectory(prefix="veneer-") as temporary:
        names: dict[Path, str] = {}
        for case, picture_bgr in pictures:
            path = Path(temporary, f"{len(names):04d}.png")
            if not cv2.imwrite(str(path), picture_bgr, (cv2.IMWRITE_PNG_COMPRESSION, 1)):
                raise OptionsError(f"pictures in {temporary}", "they cannot be written", "free some disk space")
            names[path] = f"{name}.{case}"
        return collect(list(names), folder, kinds=_KINDS, names=names, on_photo=on_picture).regions
