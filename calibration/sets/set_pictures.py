"""Reading of calibration sets: the crops that a style receives in live use, by case, and frame sequences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.cache import calibration_set
from engines.cache.calibration_set import CASES, CLIP
from engines.errors import OptionsError
from engines.regions.aligned_face import aligned_face, guide_lines, guided
from engines.regions.face_colours import face_colours, to_usual
from engines.regions.illumination import normalise_crop
from engines.regions.lips_region import lips_region
from engines.regions.upright import FRAME_REGIONS, picture_region
from engines.styles import Style
from engines.training.data.aligned import AlignedRegion, load_region, region_names
from engines.training.data.picture_pairs import cropped_to

ImageU8 = NDArray[np.uint8]
_CLIP_FRAME = re.compile(rf"^(.*)\.{CLIP}-\d+$")


@dataclass(frozen=True, slots=True, eq=False)
class SetPicture:
    """One input of the style's engine, (H, W, 3) BGR uint8, and its case in `CASES`."""

    case: str
    crop_bgr: ImageU8


def stills(style: Style, *, most: int | None = None) -> list[SetPicture]:
    """Return the crops of all existing sets for a style, at most `most` evenly spaced ones per case.

    Raises OptionsError if the files of a region are damaged.
    """
    by_case: dict[str, list[tuple[Path, str]]] = {case: [] for case in CASES}
    for folder, name, source in _region_files(style):
        case = source.rsplit(".", 1)[-1]
        if case in by_case:
            by_case[case].append((folder, name))
    pictures = []
    for case, files in by_case.items():
        if most is not None and len(files) > most:
            files = [files[index] for index in np.linspace(0, len(files) - 1, most).round().astype(int)]
        for folder, name in files:
            crop_bgr = _crop(_load(folder, name), style)
            if crop_bgr is not None:
                pictures.append(SetPicture(case, crop_bgr))
    return pictures


def clips(style: Style, *, most: int = 3) -> list[list[ImageU8]]:
    """Return up to `most` clips as lists of (H, W, 3) BGR uint8 crops; clips of the user's own set come first."""
    found: dict[tuple[Path, str], list[ImageU8]] = {}
    for folder, name, source in _region_files(style):
        match = _CLIP_FRAME.match(source)
        if match is None or (len(found) >= most and (folder, match[1]) not in found):
            continue
        crop_bgr = _crop(_load(folder, name), style)
        if crop_bgr is not None:
            found.setdefault((folder, match[1]), []).append(crop_bgr)
    return [frames for frames in found.values() if len(frames) > 1]


def _load(folder: Path, name: str) -> AlignedRegion:
    try:
        return load_region(folder, name)
    except OptionsError as error:
        is_built_in = folder == calibration_set.built_in_folder()
        remedy = "it is created again" if is_built_in else "collect the pictures again"
        raise OptionsError(error.asked, error.got, f"delete {folder}, and {remedy}") from error


def _region_files(style: Style) -> Iterator[tuple[Path, str, str]]:
    """Yield folder, name, and name without kind of every region from which the crops of the style are taken."""
    required_kind = "frame" if style.region in FRAME_REGIONS else "head"
    for folder in reversed(calibration_set.ready_folders()):
        for name in region_names(folder):
            source, _, kind = name.rpartition(".")
            if kind == required_kind:
                yield folder, name, source


def _crop(region: AlignedRegion, style: Style) -> ImageU8 | None:
    """Return the crop for the style; None if the live program would not apply the style."""
    bgr = np.ascontiguousarray(region.rgb[:, :, ::-1])
    if style.region == "lips":
        lips = lips_region(region.landmarks_xy, bgr, size_wh=style.size_wh)
        if lips is None or style.usual_bgr is None:
            return None
        return normalise_crop(lips.crop(bgr), lips, style.usual_bgr).input_bgr
    if style.swaps:
        aligned = aligned_face(region.landmarks_xy, style.size_wh, (bgr.shape[1], bgr.shape[0]))
        if aligned is None:
            return None
        crop_bgr = aligned.crop(bgr)
        lines = guide_lines(aligned, region.landmarks_xy, style.size_wh[1])
        return guided(to_usual(crop_bgr, face_colours(crop_bgr)), lines)
    if style.region == "face":
        face = picture_region("face", region.landmarks_xy, style.size_wh, (bgr.shape[1], bgr.shape[0]))
        if face is None:
            return None
        crop_bgr = face.crop(bgr)
        return style.engine_input(crop_bgr, last_bgr=crop_bgr)
    crop_bgr = cropped_to(bgr, style.size_wh)
    return style.engine_input(crop_bgr, last_bgr=crop_bgr)
