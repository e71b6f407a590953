"""From photos to aligned regions on disk: found by the same tracker and cut by the same code as live."""

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
from live.pipeline.frame import Floats, Frame, ImageU8
from live.sources.still_picture import PICTURE_SUFFIXES, read_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter

KINDS = ("face", "head", "frame")


@dataclass(slots=True)
class Collected:
    """What became of the photos.

    Attributes:
        regions: how many were written.
        faceless: photos on which no face was found.
        unreadable: photos that could not be read, with the reason.
    """

    regions: int = 0
    faceless: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def photos_in(folders: Sequence[Path]) -> list[Path]:
    """All pictures in some folders and the folders below, sorted; one that is there under two names is taken once.

    Raises:
        OptionsError: a folder is not there, or none of them holds a picture.
    """
    for folder in folders:
        if not folder.is_dir():
            raise OptionsError(f"faces in {folder}", "there is no such folder", "name a folder of photos")
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES]
    if not found:
        where = ", ".join(str(folder) for folder in folders)
        raise OptionsError(f"faces in {where}", "no pictures there", f"use {', '.join(PICTURE_SUFFIXES)}")
    once: dict[str, Path] = {}
    for path in sorted(found):
        once.setdefault(os.path.realpath(path), path)
    return list(once.values())


def names_of(photos: Iterable[Path]) -> dict[Path, str]:
    """The photos' names without ending, which their regions are named by; equal ones get a "_" more each."""
    taken: set[str] = set()
    names: dict[Path, str] = {}
    for photo in photos:
        name = photo.stem
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        names[photo] = name
    return names


def collect(
    photos: Sequence[Path], out: Path, *, kinds: Sequence[str] = ("head",), side_px: int = 512,
    names: Mapping[Path, str] | None = None, on_photo: Callable[[], None] = lambda: None,
) -> Collected:  # fmt: skip
    """Cut the regions of each photo's face (of several, the first that MediaPipe finds) into `out`.

    Args:
        photos: those without a face, and unreadable ones, are counted and named.
        out: it gets NAME.KIND.png and NAME.KIND.npz.
        kinds: of the regions.
        side_px: of the regions.
        names: of the photos, where `out` is collected into more than once; else `names_of` them.
        on_photo: called after each.

    Raises:
        OptionsError: `out` cannot be written to.
        TrackingError: no face model.
    """
    done = Collected()
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    names = names or names_of(photos)
    with PersonSegmenter(still=True) as segmenter:
        try:
            for photo in photos:
                _collect_one(photo, names[photo], out, kinds, side_px, tracker, segmenter, done)
                on_photo()
        finally:
            tracker.close()
    return done


def _collect_one(
    photo: Path, name: str, out: Path, kinds: Sequence[str], side_px: int,
    tracker: FaceMeshTracker, segmenter: PersonSegmenter, done: Collected,
) -> None:  # fmt: skip
    try:
        frame_bgr = read_picture(photo)
    except SourceError as error:
        done.unreadable.append(f"{photo}: {error.got}")
        return
    faces = tracker.track(Frame(frame_bgr, 0, 0.0))
    found = 0
    for kind in kinds if faces else ():
        region = _region(frame_bgr, faces[0].landmarks_xy, kind, side_px, segmenter, name)
        if region is not None:
            save_region(region, out)
            found += 1
    done.regions += found
    if not found:
        done.faceless.append(str(photo))


def _region(
    frame_bgr: ImageU8, landmarks_xy: Floats, kind: str, side_px: int, segmenter: PersonSegmenter, name: str
) -> AlignedRegion | None:
    """The region as live cuts it, at `side_px`; None where the face is too small."""
    frame_wh = frame_bgr.shape[1], frame_bgr.shape[0]
    box = frame_box(frame_wh, (side_px, side_px)) if kind == "frame" else face_box(landmarks_xy, kind)
    if box is None or not in_frame(box, frame_wh):
        return None
    region = PictureRegion(box, (side_px, side_px), frame_wh)
    mask = cv2.resize(segmenter.mask(frame_bgr), frame_wh, interpolation=cv2.INTER_CUBIC)
    rgb = cv2.cvtColor(region.crop(frame_bgr), cv2.COLOR_BGR2RGB)
    person = region.crop(np.asarray(mask, np.uint8))
    left, top, right, bottom = region.inner
    corners = region.landmarks(np.array(((left, top), (right, bottom)), np.float32)).clip(0, side_px)
    inner = (float(corners[0, 0]), float(corners[0, 1]), float(corners[1, 0]), float(corners[1, 1]))
    landmarks_xy = region.landmarks(landmarks_xy)
    return AlignedRegion(f"{name}.{kind}", np.asarray(rgb, np.uint8), landmarks_xy, person, kind, inner)
