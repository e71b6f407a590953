"""Cut the photos of a training to regions, unless the same photos were cut before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from calibration.sets.region_collector import Collected, collect, names_of, photos_in, sampled
from calibration.training.train_request import TrainRequest, is_below
from engines.errors import OptionsError
from engines.training.checkpoints.checkpoint import prepare_folder
from engines.training.data.dataset_marker import folder_errors, refuse_foreign, write_marker
from engines.untrusted_files import json_or_empty

_COLLECTED = "collected.json"
_WIDE_EVERY = 4  # every fourth photo is also learned as a whole frame: styles for heads are applied to frames too


def prepare_regions(
    request: TrainRequest, seed: int, *, on_photo: Callable[[int], None] = lambda _total: None
) -> Collected:
    """Cut the photos' regions into WORK/regions, unless the same photos were cut there before.

    The seed chooses the photos if `request.max_photos` limits them. `on_photo` receives the number of photos after each
    one. Raises OptionsError if there are no photos or no faces on them, or the folder holds other files or cannot be
    written; TrackingError if there is no face model.
    """
    photos = _photos(request, seed)
    folder, marker = request.regions, request.regions / _COLLECTED
    key = {"kind": request.kind, "photos": hashlib.sha256("\n".join(map(stamp, photos)).encode()).hexdigest()}
    if json_or_empty(marker) == key:
        return Collected()
    prepare_folder(folder)
    _empty(folder, marker)
    names, wide = names_of(photos), photos[::_WIDE_EVERY] if request.kind == "head" and request.photos is None else []
    total = len(photos) + len(wide)
    found = collect(photos, folder, kinds=(request.kind,), names=names, on_photo=lambda: on_photo(total))
    collect(wide, folder, kinds=("frame",), names=names, on_photo=lambda: on_photo(total))
    if not found.regions:
        where = ", ".join(map(str, request.photo_folders))
        got = f"no face on {len(found.faceless)} pictures, {len(found.unreadable)} unreadable"
        raise OptionsError(f"faces in {where}", got, "name a folder of photos that show faces")
    write_marker(marker, key)
    return found


def _photos(request: TrainRequest, seed: int) -> list[Path]:
    """Return the requested photos, without files of an earlier run in a work folder below them."""
    made = [*request.made_folders, request.folder / "curves.png", request.folder / "samples.png"]
    photos = [photo for photo in photos_in(request.photo_folders) if not is_below(photo, made)]
    return sampled(photos, request.max_photos, seed)


def stamp(photo: Path) -> str:
    """Return a text that changes when the photo changes."""
    try:
        status = photo.stat()
        return f"{os.path.realpath(photo)} {status.st_size} {status.st_mtime_ns}"
    except OSError:  # a broken link: reading the photo reports it
        return f"{os.path.realpath(photo)} gone"


def _empty(folder: Path, marker: Path) -> None:
    """Delete the regions of other photos, and mark the folder as incomplete."""
    old = [*folder.glob("*.png"), *folder.glob("*.npz")]
    refuse_foreign("regions", folder, old, [marker])
    write_marker(marker, {"begun": True})
    with folder_errors("regions", folder):
        for path in old:
            path.unlink()
