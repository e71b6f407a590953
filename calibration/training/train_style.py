"""The photos of a look from one picture, with masks of eyes and mouth."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from calibration.sets.region_collector import photos_in, sampled
from engines.errors import OptionsError, SourceError
from engines.training.data.paired_dataset import PairedDataset, terms_of
from engines.training.data.picture_pairs import ImageU8, Skipped, cropped_to
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Frame
from live.tracking.face_mesh import FaceMeshTracker

_MIN_PHOTOS, _MOST_PHOTOS = 4, 600  # of 256 pixels: 0.3 GB
_BUILT_IN = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png")  # of scikit-image
# Face mesh: outlines of both eyes with their brows, and of the lips.
_KEPT = (
    (70, 63, 105, 66, 107, 133, 155, 154, 153, 145, 144, 163, 7, 33),
    (336, 296, 334, 293, 300, 263, 249, 390, 373, 374, 380, 381, 382, 362),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)


def style_photos(
    folder: Path | None, most: int | None, side_px: int, seed: int, *, on_photo: Callable[[int], None]
) -> tuple[PairedDataset, Skipped]:
    """Read the photos of a folder, or those that come with scikit-image, as pairs of photo and (photo, mask).

    Raises OptionsError if there are too few photos; TrackingError if there is no face model.
    """
    files = (
        _built_in() if folder is None else sampled(photos_in([folder]), min(most or _MOST_PHOTOS, _MOST_PHOTOS), seed)
    )
    skipped, photos, targets, names = Skipped(), list[ImageU8](), list[ImageU8](), list[str]()
    with closing(FaceMeshTracker(max_faces=4, smooth=False, still=True)) as tracker:
        for file in files:
            try:
                photo_bgr = cropped_to(read_picture(file), (side_px, side_px))
            except SourceError as error:
                skipped["unreadable"].append(f"{file}: {error.got}")
            else:
                photo_rgb = np.ascontiguousarray(photo_bgr[:, :, ::-1])
                mask = eyes_and_mouths(tracker.track(Frame(photo_bgr, 0, 0.0)), side_px)
                photos.append(photo_rgb)
                targets.append(np.concatenate((photo_rgb, np.repeat(mask[:, :, None], 3, axis=2)), axis=2))
                names.append(f"{file.stem}-{len(names)}")
            on_photo(len(files))
    if len(photos) < _MIN_PHOTOS:
        do = f"give {_MIN_PHOTOS} or more, better some hundred"
        raise OptionsError(f"photos in {folder}", f"{len(photos)} readable pictures", do)
    terms = terms_of(folder) if folder else "pictures that come with scikit-image, in the public domain or CC0"
    return PairedDataset(tuple(names), np.stack(photos), np.stack(targets), terms), skipped


def eyes_and_mouths(faces: Sequence[Face], side_px: int) -> ImageU8:
    """Return the soft mask (side_px, side_px) of eyes and mouths."""
    mask = np.zeros((side_px, side_px), np.uint8)
    for face in faces:
        for outline in _KEPT:
            cv2.fillPoly(mask, [np.rint(face.landmarks_xy[list(outline)]).astype(np.int32)], (255,))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), side_px / 128), np.uint8)


def _built_in() -> list[Path]:
    package = importlib.util.find_spec("skimage")
    folders = (package.submodule_search_locations or []) if package else []
    return [path for folder in folders for name in _BUILT_IN if (path := Path(folder, "data", name)).is_file()]
