"""A picture style held against its teacher: the numbers of one face after the other, and of a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.clip_regions import clip_regions
from calibration.evaluation.flicker import Flicker, moving_flicker, still_flicker
from calibration.evaluation.landmark_drift import Drift, DriftMeter
from calibration.evaluation.line_scores import LineScores, line_scores
from calibration.evaluation.mask_leakage import changed_outside
from calibration.evaluation.ssim import psnr_db, ssim
from calibration.evaluation.student import Student, brought_to, inside
from engines.errors import OptionsError
from engines.training.data.aligned import AlignedRegion, load_region, region_names

if TYPE_CHECKING:
    from engines.styles import Style
    from engines.training.teachers import Teacher

ImageU8 = NDArray[np.uint8]
STILL_PHOTOS = 8  # of all, evenly spread: each is 48 pictures for the style
MOST_CLIP_FRAMES = 300
_LEAST_SIDE_PX = 64


@dataclass(frozen=True, slots=True, eq=False)
class Triple:
    """One face at the style's size, (H, W, 3) RGB uint8: the input, what the teacher makes of it, and the student."""

    input_rgb: ImageU8
    teacher_rgb: ImageU8
    student_rgb: ImageU8


def triple(region: AlignedRegion, teacher: Teacher, student: Student) -> Triple:
    """The teacher draws at the region's full size and is brought down; the student sees the region brought down."""
    size_wh = student.style.size_wh
    input_rgb = brought_to(region.rgb, size_wh)
    return Triple(input_rgb, brought_to(teacher(region), size_wh), student.apply_rgb(input_rgb))


def check_style(style: Style) -> None:
    """Whether a style can be held against a teacher at all.

    Raises:
        OptionsError: it paints lips, or its region is too small for a drawing.
    """
    if style.region == "lips":
        got = "it paints lips, and teachers draw whole faces"
        raise OptionsError(f"style {style.name} with --teacher", got, "use --before DIR --after DIR with 90x30 crops")
    if min(style.size_wh) < _LEAST_SIDE_PX:
        got = f"its region is {style.size_wh[0]}x{style.size_wh[1]} pixels"
        raise OptionsError(f"style {style.name} with --teacher", got, f"train one of at least {_LEAST_SIDE_PX}")


def photo_scores(
    folder: Path, teacher: Teacher, student: Student, *, on_picture: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Every aligned region of a folder scored, without what lies beyond its photo.

    Shares and ratios as numbers, not percent, where no unit is named.

    Raises:
        OptionsError: a region is not readable.
        TrackingError: no face model.
    """
    names = region_names(folder)
    still = _spread(names, STILL_PHOTOS)
    meter = DriftMeter()
    scores = []
    try:
        for name in names:
            scores.append(_scored(load_region(folder, name), teacher, student, meter, still=name in still))
            on_picture()
    finally:
        meter.close()
    return scores


def _spread(names: Sequence[str], most: int) -> set[str]:
    places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    return {names[place] for place in places}


def _scored(
    region: AlignedRegion, teacher: Teacher, student: Student, meter: DriftMeter, *, still: bool
) -> dict[str, Any]:
    shown = triple(region, teacher, student)
    made = {"student": shown.student_rgb, "untouched": shown.input_rgb}
    wanted_rgb = inside(shown.teacher_rgb, region)
    near = {who: _nearness(inside(picture_rgb, region), wanted_rgb) for who, picture_rgb in made.items()}
    outside = changed_outside(region, student)
    scores = {
        "name": region.name,
        **near["student"],
        "untouched": near["untouched"],
        **_drift(meter.measure(shown.input_rgb, shown.student_rgb)),
        "changed_outside_px": outside,
    }
    if still:
        size_wh = student.style.size_wh
        for key, jitter in (("flicker_still", False), ("flicker_jitter", True)):
            scores[key] = _flicker(still_flicker(region.rgb, size_wh, student.apply_rgb, jitter=jitter))
    return scores


def _nearness(picture_rgb: ImageU8, wanted_rgb: ImageU8) -> dict[str, float | None]:
    lines: LineScores = line_scores(picture_rgb, wanted_rgb)
    return {
        "psnr_db": _rounded(psnr_db(picture_rgb, wanted_rgb)),
        "ssim": _rounded(ssim(picture_rgb, wanted_rgb)),
        "line_precision": _rounded(lines.precision),
        "line_recall": _rounded(lines.recall),
        "line_crispness": _rounded(lines.crispness),
    }


def _drift(found: Drift | str) -> dict[str, Any]:
    """As JSON; `no_face_on` says on which picture the face mesh saw none."""
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
    """Flicker on the first 300 frames of a clip, motion taken out.

    Raises:
        SourceError: the clip cannot be read.
        OptionsError: fewer than two frames that follow each other show a face.
    """
    style = student.style
    seen = {True: 0, False: 0}

    def counted(region_rgb: ImageU8 | None) -> ImageU8 | None:
        seen[region_rgb is not None] += 1
        on_frame()
        return region_rgb

    regions = clip_regions(clip, style.region, style.size_wh, most=MOST_CLIP_FRAMES)
    found = moving_flicker(map(counted, regions), student.apply_rgb)
    if found.pairs == 0:
        got = f"no face was found on two frames that follow each other, of the first {sum(seen.values())}"
        raise OptionsError(f"clip {clip}", got, "use one with a face that looks at the camera")
    return {"clip": str(clip), "frames": sum(seen.values()), "faceless_frames": seen[False], **_flicker(found)}


def _rounded(value: float | None) -> float | None:
    """None also for what is no number: JSON knows none."""
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
