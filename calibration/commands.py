"""`veneer evaluate`: a style held against the pictures it should have made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engines.styles import Style


def evaluate(
    style: Annotated[str, typer.Argument(metavar="STYLE", help="lips-glaze, lips-bright or a style of your own.")],
    before: Annotated[Path, typer.Option(metavar="DIR", help="Crops the style is applied to.")],
    after: Annotated[Path, typer.Option(metavar="DIR", help="The same-named pictures it should make of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print every picture's scores as JSON.")] = False,
) -> None:
    """Apply a style to the pictures of one folder and score it (PSNR, SSIM) against those of another."""
    from rich.console import Console
    from rich.progress import track

    from engines.styles import load_style
    from engines.training.pairs import partners

    chosen = load_style(style)
    pairs = partners(before, after)
    report = _report(chosen, track(pairs, "evaluating", console=Console(stderr=True), transient=True, total=len(pairs)))
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _summary(report))


def _report(style: Style, pairs: Iterable[tuple[Path, Path]]) -> dict[str, Any]:
    import numpy as np

    pictures = [_scored(style, one, other) for one, other in pairs]
    mean = {
        key: round(float(np.mean([picture[key] for picture in pictures])), 4)
        for key in ("psnr_db", "ssim", "unpainted_psnr_db")
    }
    return {"style": style.name, "weights_sha256": style.weights_digest(), "mean": mean, "pictures": pictures}


def _scored(style: Style, before: Path, after: Path) -> dict[str, Any]:
    from calibration.scores import SSIM_LEAST_SIDE_PX, psnr_db, ssim
    from engines.errors import OptionsError
    from engines.training.pairs import read_rgb

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


def _summary(report: dict[str, Any]) -> str:
    mean, pictures = report["mean"], report["pictures"]
    worst = min(pictures, key=lambda picture: picture["psnr_db"])
    return (
        f"{report['style']}: PSNR {mean['psnr_db']:.2f} dB, SSIM {mean['ssim']:.3f} "
        f"over {len(pictures)} picture{'s' if len(pictures) > 1 else ''}\n"
        f"worst: {worst['name']}, PSNR {worst['psnr_db']:.2f} dB, SSIM {worst['ssim']:.3f}\n"
        f"left unpainted: PSNR {mean['unpainted_psnr_db']:.2f} dB"
    )
