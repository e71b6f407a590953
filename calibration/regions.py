"""From photos to aligned regions on disk: found by the same tracker and cut by the same code as live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError, SourceError
from engines.head_region import PictureRegion, face_box, frame_box, in_frame
from engines.training.aligned import AlignedRegion, save_region
from live.frame import Floats, Frame, ImageU8
from live.sources.still import PICTURE_SUFFIXES, read_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person import PersonSegmenter

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
    """All pictures in some folders and the folders below, sorted.

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
    return sorted(found)


def collect(
    photos: Iterable[Path], out: Path, *, kinds: Sequence[str] = ("head",), side_px: int = 512,
    on_photo: Callable[[], None] = lambda: None,
) -> Collected:  # fmt: skip
    """Cut the regions of the largest face of each photo into `out`; photos without a face are counted and named.

    Raises:
        OptionsError: `out` cannot be written to.
        TrackingError: no face model.
    """
    done = Collected()
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    taken: set[str] = set()
    with PersonSegmenter(still=True) as segmenter:
        try:
            for photo in photos:
                _collect_one(photo, out, kinds, side_px, tracker, segmenter, done, taken)
                on_photo()
        finally:
            tracker.close()
    return done


def _collect_one(
    photo: Path, out: Path, kinds: Sequence[str], side_px: int,
    tracker: FaceMeshTracker, segmenter: PersonSegmenter, done: Collected, taken: set[str],
) -> None:  # fmt: skip
    try:
        frame_bgr = read_picture(photo)
    except SourceError as error:
        done.unreadable.append(f"{photo}: {error.got}")
        return
    faces = tracker.track(Frame(frame_bgr, 0, 0.0))
    name = photo.stem
    while name in taken:
        name += "_"
    taken.add(name)
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
    return AlignedRegion(f"{name}.{kind}", np.asarray(rgb, np.uint8), region.landmarks(landmarks_xy), person, kind)
