"""Scores of a style against its teacher, for single faces and for clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.evaluation.clip_regions import clip_regions
from calibration.evaluation.flicker import Flicker, moving_flicker, still_flicker
from calibration.evaluation.image_metrics import ssim
from calibration.evaluation.landmark_drift import Drift, DriftMeter
from calibration.evaluation.line_scores import line_scores
from calibration.evaluation.mask_leakage import changed_outside
from calibration.evaluation.student import ImageU8, Student, crop_to_photo, resize_area, taught_rgb
from engines.errors import OptionsError
from engines.training.data.aligned import AlignedRegion, load_region, region_names
from engines.training.metrics.psnr import psnr_db

if TYPE_CHECKING:
    from engines.styles import Style
    from engines.training.teachers import Teacher

FLICKER_PHOTOS = 8  # evenly spaced: each takes 48 inferences
MAX_CLIP_FRAMES = 300
_MIN_SIDE_PX = 64


@dataclass(frozen=True, slots=True, eq=False)
class Triple:
    """Input, teacher output and student output of one face, (H, W, 3) RGB uint8; see `Student.picture_rgb`."""

    input_rgb: ImageU8
    teacher_rgb: ImageU8
    student_rgb: ImageU8


def make_triple(region: AlignedRegion, teacher: Teacher, student: Student) -> Triple:
    """Apply teacher and student; the teacher works at full size, and its output is reduced to that of the student."""
    student_rgb = student.picture_rgb(region)
    input_rgb = resize_area(region.rgb, (student_rgb.shape[1], student_rgb.shape[0]))
    return Triple(input_rgb, taught_rgb(student.style, teacher(region), region), student_rgb)


def check_style(style: Style) -> None:
    """Raise OptionsError if a style cannot be compared with a teacher: it works on lips, or its region is small."""
    if style.region == "lips":
        got = "the style works on lips, and teachers draw whole faces"
        raise OptionsError(f"style {style.name} with --teacher", got, "use --before DIR --after DIR with 90x30 crops")
    if min(style.size_wh) < _MIN_SIDE_PX:
        got = f"its region is {style.size_wh[0]}x{style.size_wh[1]} pixels"
        raise OptionsError(f"style {style.name} with --teacher", got, f"use a style of at least {_MIN_SIDE_PX} pixels")


def photo_scores(
    folder: Path, teacher: Teacher, student: Student, *, on_picture: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Score every aligned region of a folder, without the pixels outside its photo.

    Shares and ratios are numbers, not percentages, unless the name says "percent". Raises OptionsError or TrackingError
    if a region or the face model is not readable.
    """
    names = region_names(folder)
    picks = np.linspace(0, len(names) - 1, min(FLICKER_PHOTOS, len(names))).round().astype(int)
    flicker_names = {names[index] for index in picks}
    meter = DriftMeter()
    scores = []
    try:
        for name in names:
            region = load_region(folder, name)
            scores.append(_score(region, teacher, student, meter, flicker=name in flicker_names))
            on_picture()
    finally:
        meter.close()
    return scores


def _score(
    region: AlignedRegion, teacher: Teacher, student: Student, meter: DriftMeter, *, flicker: bool
) -> dict[str, Any]:
    triple = make_triple(region, teacher, student)
    target_rgb = crop_to_photo(triple.teacher_rgb, region)
    scores = {
        "name": region.name,
        **similarity(crop_to_photo(triple.student_rgb, region), target_rgb),
        "untouched": similarity(crop_to_photo(triple.input_rgb, region), target_rgb),
        **_drift(meter.measure(drift_origin(student.style, triple), triple.student_rgb)),
        "changed_outside_px": changed_outside(region, student),
    }
    if flicker:
        size_wh = student.style.size_wh
        for key, jitter in (("flicker_still", False), ("flicker_jitter", True)):
            scores[key] = _flicker(still_flicker(region.rgb, size_wh, student.on_film(), jitter=jitter))
    return scores


def drift_origin(style: Style, triple: Triple) -> ImageU8:
    """Return the picture from which landmark drift is measured: of drawn eyes and mouths, the teacher's."""
    return triple.teacher_rgb if style.output == "planes" else triple.input_rgb


def similarity(picture_rgb: ImageU8, target_rgb: ImageU8) -> dict[str, float | None]:
    """Return PSNR in dB, SSIM, and the scores of the lines, of two pictures (H, W, 3) RGB uint8."""
    scores = {"psnr_db": psnr_db(picture_rgb, target_rgb), "ssim": ssim(picture_rgb, target_rgb)}
    lines = {f"line_{name}": score for name, score in asdict(line_scores(picture_rgb, target_rgb)).items()}
    return {name: _rounded(score) for name, score in (scores | lines).items()}


def _drift(found: Drift | str) -> dict[str, Any]:
    """Convert for JSON; `no_face_on` names the image without a face."""
    if isinstance(found, str):
        return {"drift_percent": None, "drift_noise_percent": None, "drift_parts_percent": None, "no_face_on": found}
    return {
        "drift_percent": _rounded(found.percent),
        "drift_noise_percent": _rounded(found.noise_percent),
        "drift_parts_percent": {part: _rounded(percent) for part, percent in found.parts_percent.items()},
        "no_face_on": None,
    }


def _flicker(found: Flicker) -> dict[str, Any]:
    levels = {key: _rounded(value) for key, value in asdict(found).items() if key != "pairs"}
    return {"ratio": _rounded(found.ratio), "rms_ratio": _rounded(found.rms_ratio), **levels, "pairs": found.pairs}


def clip_scores(clip: Path, student: Student, *, on_frame: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Measure motion-compensated flicker on the first 300 frames of a clip.

    Raises SourceError if it cannot be read, OptionsError if no two consecutive frames show a face.
    """
    style = student.style
    counts = {True: 0, False: 0}

    def count(region_rgb: ImageU8 | None) -> ImageU8 | None:
        counts[region_rgb is not None] += 1
        on_frame()
        return region_rgb

    regions = clip_regions(clip, style.region, style.size_wh, most=MAX_CLIP_FRAMES)
    found = moving_flicker(map(count, regions), student.on_film())
    frames = sum(counts.values())
    if found.pairs == 0:
        got = f"no two consecutive frames of the first {frames} show a face"
        raise OptionsError(f"clip {clip}", got, "use a clip with a face that looks at the camera")
    return {"clip": str(clip), "frames": frames, "faceless_frames": counts[False], **_flicker(found)}


def _rounded(value: float | None) -> float | None:
    """Round to four digits; NaN and infinity become None because JSON has no such values."""
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
