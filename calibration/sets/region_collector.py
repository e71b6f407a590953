"""Extraction of aligned face regions from photos, with the tracker and the cropping code of the live program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError, SourceError
from engines.regions.upright import PictureRegion, face_box, frame_box, in_frame
from engines.training.data.aligned import AlignedRegion, save_region
from live.picture_files.picture_reader import PICTURE_SUFFIXES, read_picture
from live.pipeline.frame import Floats, Frame, ImageU8
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

    Raises:
        OptionsError: A place does not exist, or none holds a file with one of the suffixes.
    """
    for place in places:
        if not place.exists():
            raise OptionsError(f"{requested} in {place}", "there is no such folder", f"name a folder of {kinds}")
    files = (path for place in places for path in ([place] if place.is_file() else place.rglob("*")))
    found = [path for path in files if path.suffix.lower() in suffixes and path.name[0] != "."]
    if not found:
        where = ", ".join(map(str, places))
        raise OptionsError(f"{requested} in {where}", f"no {kinds} there", f"use {', '.join(suffixes)}")
    return unique_paths(found)


def unique_paths(paths: Iterable[Path]) -> list[Path]:
    """Sort paths and keep the first of those that lead to the same file."""
    by_real_path: dict[str, Path] = {}
    for path in sorted(paths):
        by_real_path.setdefault(os.path.realpath(path), path)
    return list(by_real_path.values())


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
    face and unreadable photos are listed in the result.

    Raises:
        OptionsError: `out` cannot be written.
        TrackingError: The face model cannot be loaded.
    """
    result = Collected()
    names = names or names_of(photos)
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    with PersonSegmenter(still=True) as segmenter:
        try:
            for photo in photos:
                try:
                    frame_bgr = read_picture(photo)
                except SourceError as error:
                    result.unreadable.append(f"{photo}: {error.got}")
                else:
                    faces = tracker.track(Frame(frame_bgr, 0, 0.0))
                    landmarks_xy = faces[0].landmarks_xy if faces else None
                    regions = _regions(frame_bgr, landmarks_xy, kinds, side_px, segmenter, names[photo])
                    for region in regions:
                        save_region(region, out)
                    result.regions += len(regions)
                    if not regions:
                        result.faceless.append(str(photo))
                on_photo()
        finally:
            tracker.close()
    return result


def _regions(
    frame_bgr: ImageU8,
    landmarks_xy: Floats | None,
    kinds: Sequence[str],
    side_px: int,
    segmenter: PersonSegmenter,
    name: str,
) -> list[AlignedRegion]:
    """Extract the regions of one face; a region that is too small or outside the photo is left out."""
    frame_wh = frame_bgr.shape[1], frame_bgr.shape[0]
    regions: list[AlignedRegion] = []
    for kind in kinds if landmarks_xy is not None else ():
        assert landmarks_xy is not None
        box = frame_box(frame_wh, (side_px, side_px)) if kind == "frame" else face_box(landmarks_xy, kind)
        if box is None or not in_frame(box, frame_wh):
            continue
        region = PictureRegion(box, (side_px, side_px), frame_wh)
        mask = cv2.resize(segmenter.mask(frame_bgr), frame_wh, interpolation=cv2.INTER_CUBIC)
        rgb = cv2.cvtColor(region.crop(frame_bgr), cv2.COLOR_BGR2RGB)
        person = region.crop(np.asarray(mask, np.uint8))
        left, top, right, bottom = region.inner
        corners = region.landmarks(np.array(((left, top), (right, bottom)), np.float32)).clip(0, side_px)
        inner = (float(corners[0, 0]), float(corners[0, 1]), float(corners[1, 0]), float(corners[1, 1]))
        points_xy = region.landmarks(landmarks_xy)
        regions.append(AlignedRegion(f"{name}.{kind}", np.asarray(rgb, np.uint8), points_xy, person, kind, inner))
    return regions
