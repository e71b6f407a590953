"""A calibration set as an engine sees it: the crops that live would give it, case by case, and clips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines import calibration_set
from engines.calibration_set import CASES, CLIP
from engines.errors import OptionsError
from engines.regions.illumination import normalise_crop
from engines.regions.lips_region import lips_region
from engines.regions.upright import FRAME_REGIONS, PictureRegion, face_box, in_frame
from engines.styles import Style
from engines.training.data.aligned import AlignedRegion, load_region, region_names

ImageU8 = NDArray[np.uint8]
_CLIP_FRAME = re.compile(rf"^(.*)\.{CLIP}-\d+$")


@dataclass(frozen=True, slots=True, eq=False)
class SetPicture:
    """One crop of the calibration set.

    Attributes:
        case: of `CASES`.
        crop_bgr: (H, W, 3) uint8 at the style's size.
    """

    case: str
    crop_bgr: ImageU8


def stills(style: Style, *, most: int | None = None) -> list[SetPicture]:
    """The crops of all sets that are there, as the style is given them live; at most so many of each case.

    Raises:
        OptionsError: a region's files are damaged.
    """
    found: dict[str, list[tuple[Path, str]]] = {case: [] for case in CASES}
    for folder, name, source in _regions(style):
        case = source.rsplit(".", 1)[-1]
        if case in found:
            found[case].append((folder, name))
    made = []
    for case, regions in found.items():
        for folder, name in _spread(regions, most):
            crop_bgr = _crop(_loaded(folder, name), style)
            if crop_bgr is not None:
                made.append(SetPicture(case, crop_bgr))
    return made


def clips(style: Style, *, most: int = 3) -> list[list[ImageU8]]:
    """The crops of the sets' clips, frame after frame; the user's own before the built-in one."""
    found: dict[tuple[Path, str], list[ImageU8]] = {}
    for folder, name, source in _regions(style):
        clip = _CLIP_FRAME.match(source)
        if clip is None or (len(found) >= most and (folder, clip[1]) not in found):
            continue
        crop_bgr = _crop(_loaded(folder, name), style)
        if crop_bgr is not None:
            found.setdefault((folder, clip[1]), []).append(crop_bgr)
    return [frames for frames in found.values() if len(frames) > 1]


def _loaded(folder: Path, name: str) -> AlignedRegion:
    """Raises OptionsError where its files were damaged."""
    try:
        return load_region(folder, name)
    except OptionsError as error:
        again = "it is made again" if folder == calibration_set.built_in_folder() else "collect the pictures again"
        raise OptionsError(error.asked, error.got, f"delete {folder}, and {again}") from error


def _regions(style: Style) -> Iterator[tuple[Path, str, str]]:
    """Folder, name, and name without kind, of every region that the style's crops are made of."""
    kind = "frame" if style.region in FRAME_REGIONS else "head"
    for folder in reversed(calibration_set.ready_folders()):
        for name in region_names(folder):
            source, _, has = name.rpartition(".")
            if has == kind:
                yield folder, name, source


def _spread(regions: list[tuple[Path, str]], most: int | None) -> list[tuple[Path, str]]:
    if most is None or len(regions) <= most:
        return regions
    return [regions[i] for i in np.linspace(0, len(regions) - 1, most).round().astype(int)]


def _crop(region: AlignedRegion, style: Style) -> ImageU8 | None:
    """The style's crop of a kept region; None where live would paint nothing."""
    bgr = np.ascontiguousarray(region.rgb[:, :, ::-1])
    if style.region == "lips":
        lips = lips_region(region.landmarks_xy, bgr, size_wh=style.size_wh)
        if lips is None or style.usual_bgr is None:
            return None
        return normalise_crop(lips.crop(bgr), lips, style.usual_bgr).input_bgr
    if style.region == "face":
        box, side_px = face_box(region.landmarks_xy, "face"), region.rgb.shape[0]
        if box is None or not in_frame(box, (side_px, side_px)):
            return None
        return PictureRegion(box, style.size_wh, (side_px, side_px)).crop(bgr)
    return _middle(bgr, style.size_wh)


def _middle(square_bgr: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """The middle of a square in another shape, averaged."""
    side_px, (width, height) = square_bgr.shape[0], size_wh
    wide, high = (side_px, round(side_px * height / width)) if width >= height else (
        round(side_px * width / height), side_px)  # fmt: skip
    left, top = (side_px - wide) // 2, (side_px - high) // 2
    part = square_bgr[top : top + high, left : left + wide]
    return cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
