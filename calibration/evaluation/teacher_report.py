"""Report on a style against its teacher, as data and as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.evaluation.flicker import STILL_FRAMES
from calibration.evaluation.student import Student
from calibration.evaluation.teacher_scores import clip_scores, photo_scores
from calibration.sets.region_collector import collect
from engines.errors import OptionsError
from engines.regions.upright import FRAME_REGIONS

if TYPE_CHECKING:
    from engines.training.teachers import Teacher

StartTask = Callable[
    [str, int], Callable[[], None]
]  # from task name and number of steps (0: unknown) to a step callback


def teacher_report(
    student: Student,
    teacher: Teacher,
    photos: Sequence[Path],
    clips: Iterable[Path],
    folder: Path,
    start_task: StartTask,
) -> dict[str, Any]:
    """Score a style on clips and photos; the aligned regions remain in the empty folder given.

    Photos without a face and unreadable photos are skipped and listed. Clips come first, because invalid ones are
    detected quickly. Raises OptionsError for no photo with a face or a full disk, SourceError, or TrackingError.
    """
    style = student.style
    clip_results = [clip_scores(clip, student, on_frame=start_task(clip.name, 0)) for clip in clips]
    kind = "frame" if style.region in FRAME_REGIONS else style.region
    collected = collect(photos, folder, kinds=(kind,), on_photo=start_task("finding faces", len(photos)))
    if collected.regions == 0:
        unreadable = f", {len(collected.unreadable)} of them unreadable" if collected.unreadable else ""
        got = f"no face was found on {len(photos)} picture{'s' if len(photos) > 1 else ''}{unreadable}"
        where = ", ".join(sorted({str(photo.parent) for photo in photos})[:3])
        raise OptionsError(f"faces in {where}", got, "use photos of faces that look at the camera")
    pictures = photo_scores(folder, teacher, student, on_picture=start_task("evaluating", collected.regions))
    return {
        "style": style.name,
        "weights_sha256": style.weights_digest(),
        "runs_on": student.runs_on,
        "region": style.region,
        "size_wh": list(style.size_wh),
        "drift_from": "the teacher's picture" if style.output == "planes" else "the input",
        "photos": {"given": len(photos), "faceless": collected.faceless, "unreadable": collected.unreadable},
        "mean": means(pictures),
        "clips": clip_results,
        "pictures": pictures,
    }


def means(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average the results of `photo_scores`, each score over the images that have it; None if no image has it."""
    keys = ("psnr_db", "ssim", "line_precision", "line_recall", "line_crispness")
    found: dict[str, Any] = {key: _mean(picture[key] for picture in scores) for key in keys}
    found["untouched"] = {key: _mean(picture["untouched"][key] for picture in scores) for key in keys}
    found |= {key: _mean(picture[key] for picture in scores) for key in ("drift_percent", "drift_noise_percent")}
    parts = [picture["drift_parts_percent"] for picture in scores if picture["drift_parts_percent"]]
    found["drift_parts_percent"] = {part: _mean(one[part] for one in parts) for part in parts[0]} if parts else None
    for key in ("flicker_still", "flicker_jitter"):
        measured = [picture[key] for picture in scores if key in picture]
        found[key] = _mean(one["ratio"] for one in measured)
        found[f"{key}_rms"] = _mean(one["rms_ratio"] for one in measured)
    found["changed_outside_px"] = sum(picture["changed_outside_px"] or 0 for picture in scores)
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def summary(report: dict[str, Any]) -> str:
    """Format the report as text with units, including the skipped photos."""
    mean, pictures = report["mean"], report["pictures"]
    untouched, flicker_photos = mean["untouched"], sum("flicker_still" in picture for picture in pictures)
    worst = min(pictures, key=lambda picture: picture["psnr_db"])
    no_output_face = [picture["name"] for picture in pictures if picture["no_face_on"] == "output"]
    no_input_face = [picture["name"] for picture in pictures if picture["no_face_on"] == "input"]
    size, faces = "x".join(map(str, report["size_wh"])), "1 face" if len(pictures) == 1 else f"{len(pictures)} faces"
    lines = [
        f"{report['style']} against the teacher {report['teacher']}: "
        f"{faces}, region {report['region']} at {size}, {report['runs_on']}",
        f"PSNR {mean['psnr_db']:.2f} dB (worst {worst['psnr_db']:.2f} dB, {worst['name']}), SSIM {mean['ssim']:.3f}; "
        f"unmodified input: {untouched['psnr_db']:.2f} dB, {untouched['ssim']:.3f}",
        f"lines: precision {_percent(mean['line_precision'])}, recall {_percent(mean['line_recall'])}, "
        f"crispness {_number(mean['line_crispness'])} of the teacher's; unmodified input: "
        f"{_percent(untouched['line_precision'])}, {_percent(untouched['line_recall'])}, "
        f"{_number(untouched['line_crispness'])}",
        f"landmark drift from {report['drift_from']}: {_number(mean['drift_percent'])} % of the eye distance (noise: "
        f"{_number(mean['drift_noise_percent'])} %){_listed('; no face found on the output', no_output_face)}"
        f"{_listed('; no face found on the input', no_input_face)}",
        f"flicker, output over input, mean (root mean square): {_number(mean['flicker_still'])} "
        f"({_number(mean['flicker_still_rms'])}) on a still noisy clip of {STILL_FRAMES} frames, "
        f"{_number(mean['flicker_jitter'])} ({_number(mean['flicker_jitter_rms'])}) with half a pixel of jitter; "
        f"{flicker_photos} photo{'s' if flicker_photos > 1 else ''}",
        *(_clip_line(clip) for clip in report["clips"]),
        f"changed outside the mask: {mean['changed_outside_px']} pixels",
    ]
    skipped = [("no face found", "faceless"), ("unreadable", "unreadable")]
    lines += [_listed(f"skipped, {why}", report["photos"][key]) for why, key in skipped if report["photos"][key]]
    return "\n".join(lines)


def _clip_line(clip: dict[str, Any]) -> str:
    faceless = f", {clip['faceless_frames']} without a face" if clip["faceless_frames"] else ""
    ratios = f"{_number(clip['ratio'])} ({_number(clip['rms_ratio'])})"
    counts = f"{clip['frames']} frames{faceless}, {clip['pairs']} pairs"
    return f"flicker on {clip['clip']}, motion-compensated: {ratios}; {counts}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _listed(label: str, names: Sequence[str]) -> str:
    return f"{label}: {len(names)} ({', '.join(names)})" if names else ""
