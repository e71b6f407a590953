"""A style held against pairs of pictures: the user's own before and after."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.evaluation.ssim import SSIM_LEAST_SIDE_PX, psnr_db, ssim
from engines.errors import OptionsError
from engines.training.data.picture_pairs import read_rgb

if TYPE_CHECKING:
    from engines.styles import Style


def pairs_report(style: Style, pairs: Iterable[tuple[Path, Path]]) -> dict[str, Any]:
    """PSNR and SSIM of what the style makes of each first picture against the second, and their means.

    Raises:
        OptionsError: a picture is unreadable, too small for SSIM, or of another size than its partner.
    """
    pictures = [_scored(style, one, other) for one, other in pairs]
    mean = {
        key: round(float(np.mean([picture[key] for picture in pictures])), 4)
        for key in ("psnr_db", "ssim", "unpainted_psnr_db")
    }
    return {"style": style.name, "weights_sha256": style.weights_digest(), "mean": mean, "pictures": pictures}


def _scored(style: Style, before: Path, after: Path) -> dict[str, Any]:
    crop_rgb, wanted_rgb = read_rgb(before), read_rgb(after)
    if crop_rgb.shape != wanted_rgb.shape:
        sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (crop_rgb, wanted_rgb)]
        got = f"{before} is {sizes[0]}, {after} is {sizes[1]}"
        raise OptionsError(f"pictures {before.name} of one size", got, "both have to show the same pixels")
    if min(crop_rgb.shape[:2]) < SSIM_LEAST_SIDE_PX:
        least = f"{SSIM_LEAST_SIDE_PX}x{SSIM_LEAST_SIDE_PX}"
        got = f"it is {crop_rgb.shape[1]}x{crop_rgb.shape[0]}"
        raise OptionsError(f"picture {before} of at least {least}", got, "SSIM looks through a window of that size")
    made_rgb = style.apply_rgb(crop_rgb)
    return {
        "name": before.name,
        "psnr_db": round(psnr_db(made_rgb, wanted_rgb), 4),
        "ssim": round(ssim(made_rgb, wanted_rgb), 4),
        "unpainted_psnr_db": round(psnr_db(crop_rgb, wanted_rgb), 4),
    }


def pairs_summary(report: dict[str, Any]) -> str:
    """The report for people: means and the worst picture."""
    mean, pictures = report["mean"], report["pictures"]
    worst = min(pictures, key=lambda picture: picture["psnr_db"])
    return (
        f"{report['style']}: PSNR {mean['psnr_db']:.2f} dB, SSIM {mean['ssim']:.3f} "
        f"over {len(pictures)} picture{'s' if len(pictures) > 1 else ''}\n"
        f"worst: {worst['name']}, PSNR {worst['psnr_db']:.2f} dB, SSIM {worst['ssim']:.3f}\n"
        f"left unpainted: PSNR {mean['unpainted_psnr_db']:.2f} dB"
    )
