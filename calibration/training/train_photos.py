"""The photos of a training, cut to regions: once, and again only where other photos are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration.sets.region_collector import Collected, collect, names_of, photos_in
from calibration.training.train_request import Request
from engines.errors import OptionsError
from engines.training import style_files
from engines.training.data.dataset_marker import read_marker, write_marker

_SIDE_PX = 512
_COLLECTED = "collected.json"


def regions_ready(request: Request, *, on_photo: Callable[[int], None] = lambda _total: None) -> Collected:
    """Cut the photos' regions into WORK/regions, unless the same photos lie there cut.

    Args:
        request: its faces, most, seed, kind and folder.
        on_photo: told the number of photos to cut, after each.

    Raises:
        OptionsError: no photos, no face on any, or the folder holds something else, or cannot be written to.
        TrackingError: no face model.
    """
    photos = _photos(request)
    folder, marker = request.regions, request.regions / _COLLECTED
    key = {"kind": request.kind, "photos": hashlib.sha256("\n".join(map(_stamp, photos)).encode()).hexdigest()}
    if read_marker(marker) == key:
        return Collected()
    style_files.ready_folder(folder)
    _empty(folder, marker)
    names, wide = names_of(photos), photos[::4] if request.kind == "head" else []
    total = len(photos) + len(wide)  # a style for heads is worn on persons and frames as well: some are learned whole
    found = collect(
        photos, folder, kinds=(request.kind,), side_px=_SIDE_PX, names=names, on_photo=lambda: on_photo(total)
    )
    collect(wide, folder, kinds=("frame",), side_px=_SIDE_PX, names=names, on_photo=lambda: on_photo(total))
    if not found.regions:
        where = ", ".join(str(face) for face in request.faces or [])
        got = f"no face on {len(found.faceless)} pictures, {len(found.unreadable)} unreadable"
        raise OptionsError(f"faces in {where}", got, "name a folder of photos that show faces")
    write_marker(marker, key)
    return found


def _photos(request: Request) -> list[Path]:
    """Those that are asked for; what an earlier run made in WORK, which may lie below them, is none of them."""
    made = [os.path.realpath(folder) for folder in request.made_folders]
    made += [os.path.realpath(request.folder / name) for name in ("curves.png", "samples.png")]
    photos = [photo for photo in photos_in(request.faces or []) if not _under(photo, made)]
    if request.most is not None and request.most < len(photos):
        drawn = np.random.default_rng(request.seed).permutation(len(photos))[: request.most]
        photos = [photos[i] for i in sorted(drawn)]
    return photos


def _under(photo: Path, places: list[str]) -> bool:
    real = Path(os.path.realpath(photo))
    return any(real.is_relative_to(place) for place in places)


def _stamp(photo: Path) -> str:
    """What says that a photo is the one it was."""
    try:
        found = photo.stat()
    except OSError:  # a link to nowhere: it is skipped and named where the photos are read
        return f"{os.path.realpath(photo)} gone"
    return f"{os.path.realpath(photo)} {found.st_size} {found.st_mtime_ns}"


def _empty(folder: Path, marker: Path) -> None:
    """Take away the regions of other photos, and mark what comes as begun: a stopped run is seen."""
    old = [*folder.glob("*.png"), *folder.glob("*.npz")]
    if old and read_marker(marker) is None:
        do = "name another --work, or move them"
        raise OptionsError(f"regions in {folder}", "it holds pictures that were not made there", do)
    write_marker(marker, {"begun": True})
    try:
        for path in old:
            path.unlink()
    except OSError as error:
        raise OptionsError(f"regions in {folder}", error.strerror or str(error), "name another --work") from error
