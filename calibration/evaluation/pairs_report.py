"""Evaluation of a style on pairs of images before and after."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.evaluation.image_metrics import SSIM_MIN_SIDE_PX, ssim
from calibration.evaluation.student import Student
from engines.errors import OptionsError
from engines.training.data.picture_pairs import read_rgb
from engines.training.metrics.psnr import psnr_db

if TYPE_CHECKING:
    from engines.styles import Style


def pairs_report(style: Style, pairs: Iterable[tuple[Path, Path]]) -> dict[str, Any]:
    """Compute PSNR (dB) and SSIM of the style's output on each first image against the second image, and the means.

    Raises OptionsError if an image is unreadable, too small for SSIM, or differs in size from its partner.
    """
    student = Student(style)
    try:
        pictures = [_score(student, before, after) for before, after in pairs]
    finally:
        student.close()
    mean = {
        key: round(float(np.mean([picture[key] for picture in pictures])), 4)
        for key in ("psnr_db", "ssim", "unpainted_psnr_db")
    }
    about = {"style": style.name, "weights_sha256": style.weights_digest(), "runs_on": student.runs_on}
    return {**about, "mean": mean, "pictures": pictures}


def _score(student: Student, before: Path, after: Path) -> dict[str, Any]:
    before_rgb, after_rgb = read_rgb(before), read_rgb(after)
    before_size, after_size = (f"{picture.shape[1]}x{picture.shape[0]}" for picture in (before_rgb, after_rgb))
    if before_size != after_size:
        got = f"{before} is {before_size}, {after} is {after_size}"
        raise OptionsError(f"pictures {before.name} of one size", got, "both must show the same pixels")
    if min(before_rgb.shape[:2]) < SSIM_MIN_SIDE_PX:
        asked = f"picture {before} of at least {SSIM_MIN_SIDE_PX}x{SSIM_MIN_SIDE_PX}"
        raise OptionsError(asked, f"it is {before_size}", "use larger pictures: the window of SSIM has that size")
    output_rgb = student.apply_rgb(before_rgb)
    return {
        "name": before.name,
        "psnr_db": round(psnr_db(output_rgb, after_rgb), 4),
        "ssim": round(ssim(output_rgb, after_rgb), 4),
        "unpainted_psnr_db": round(psnr_db(before_rgb, after_rgb), 4),
    }


def pairs_summary(report: dict[str, Any]) -> str:
    """Format the means and the worst image as text."""
    mean, pictures = report["mean"], report["pictures"]
    worst = min(pictures, key=lambda picture: picture["psnr_db"])
    return (
        f"{report['style']}: PSNR {mean['psnr_db']:.2f} dB, SSIM {mean['ssim']:.3f} "
        f"over {len(pictures)} picture{'s' if len(pictures) > 1 else ''}, {report['runs_on']}\n"
        f"worst: {worst['name']}, PSNR {worst['psnr_db']:.2f} dB, SSIM {worst['ssim']:.3f}\n"
        f"unmodified input: PSNR {mean['unpainted_psnr_db']:.2f} dB"
    )
