"""Extraction of aligned face regions from photos, with the tracker and the cropping code of the live program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError, SourceError
from engines.regions.upright import PictureRegion, picture_region
from engines.training.data.aligned import AlignedRegion, save_region
from live.picture_files.picture_reader import PICTURE_SUFFIXES, read_picture
from live.pipeline.frame import Face, Frame
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter

KINDS = ("face", "head", "frame")


@dataclass(slots=True)
class Collected:
    """Number of regions written, photos without a face, and unreadable photos, each with the reason."""

    regions: int = 0
    faceless: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def photos_in(folders: Sequence[Path]) -> list[Path]:
    """Return all images in the folders and their subfolders; see `media_in`."""
    return media_in(folders, PICTURE_SUFFIXES, "faces", "pictures")


def media_in(places: Sequence[Path], suffixes: Sequence[str], requested: str, kinds: str) -> list[Path]:
    """Return the files in files and folders, sorted and without duplicates by real path.

    Raises OptionsError if a place does not exist, or none holds a file with one of the suffixes.
    """
    for place in places:
        if not place.exists():
            raise OptionsError(f"{requested} in {place}", "there is no such folder", f"name a folder of {kinds}")
    files = (path for place in places for path in ([place] if place.is_file() else place.rglob("*")))
    found = [path for path in files if path.suffix.lower() in suffixes and path.name[0] != "."]
    if not found:
        where = ", ".join(map(str, places))
        raise OptionsError(f"{requested} in {where}", f"no {kinds} there", f"use {', '.join(suffixes)}")
    by_real_path: dict[str, Path] = {}
    for path in sorted(found):
        by_real_path.setdefault(os.path.realpath(path), path)
    return list(by_real_path.values())


def sampled(paths: list[Path], most: int | None, seed: int) -> list[Path]:
    """Return the paths, or a random sample of `most` of them in the same order."""
    if most is None or len(paths) <= most:
        return paths
    return [paths[index] for index in sorted(np.random.default_rng(seed).permutation(len(paths))[:most])]


def names_of(photos: Iterable[Path]) -> dict[Path, str]:
    """Return a unique name for each photo: the file stem, with "_" appended until it differs from earlier ones."""
    used: set[str] = set()
    names: dict[Path, str] = {}
    for photo in photos:
        name = photo.stem
        while name.casefold() in used:
            name += "_"
        used.add(name.casefold())
        names[photo] = name
    return names


def collect(
    photos: Sequence[Path],
    out: Path,
    *,
    kinds: Sequence[str] = ("head",),
    side_px: int = 512,
    names: Mapping[Path, str] | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Collected:
    """Write the regions of the first face in each photo to `out`, as NAME.KIND.png and NAME.KIND.npz.

    The regions are squares of the given kinds (`KINDS`); the names are by default from `names_of`. Photos without a
    face and unreadable photos are listed in the result. Raises OptionsError if `out` cannot be written; TrackingError
    if the face model cannot be loaded.
    """
    result, names = Collected(), names or names_of(photos)
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    with closing(tracker), PersonSegmenter(still=True) as segmenter:
        for photo in photos:
            try:
                frame = Frame(read_picture(photo), 0, 0.0)
            except SourceError as error:
                result.unreadable.append(f"{photo}: {error.got}")
            else:
                faces = tracker.track(frame)
                places = {
                    kind: picture_region(kind, face.landmarks_xy, (side_px,) * 2, frame.size_wh)
                    for face in faces
                    for kind in kinds
                }
                found = {kind: region for kind, region in places.items() if region is not None}
                for kind, region in found.items():
                    save_region(_aligned(region, frame, faces[0], segmenter, f"{names[photo]}.{kind}", kind), out)
                result.regions += len(found)
                if not found:
                    result.faceless.append(str(photo))
            on_photo()
    return result


def _aligned(
    region: PictureRegion, frame: Frame, face: Face, segmenter: PersonSegmenter, name: str, kind: str
) -> AlignedRegion:
    mask = cv2.resize(segmenter.mask(frame.bgr), frame.size_wh, interpolation=cv2.INTER_CUBIC)
    rgb = np.ascontiguousarray(region.crop(frame.bgr)[:, :, ::-1])
    left, top, right, bottom = region.inner
    corners_xy = region.landmarks(np.array(((left, top), (right, bottom)), np.float32)).clip(0, region.size_wh[0])
    x, y, to_x, to_y = corners_xy.ravel().tolist()
    person = region.crop(np.asarray(mask, np.uint8))
    return AlignedRegion(name, rgb, region.landmarks(face.landmarks_xy), person, kind, (x, y, to_x, to_y))
