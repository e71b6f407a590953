"""Contact sheet: input, teacher and student side by side for the worst, median and best images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from live.picture_files.picture_writer import write_picture

if TYPE_CHECKING:
    from calibration.evaluation.teacher_scores import Triple

_PER_RANK = 2  # rows each for worst, median and best
_GAP_PX, _LINE_PX, _TEXT_PX = 6, 22, 15
_TEXT_RGB = (30, 30, 30)


def select_rows(scores: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Select two worst, two median and two best images by PSNR, each at most once, labelled with the rank."""
    ranked = sorted(scores, key=lambda picture: float(picture["psnr_db"]))
    middle = max(0, (len(ranked) - _PER_RANK) // 2)
    ranks = dict.fromkeys(range(max(0, len(ranked) - _PER_RANK), len(ranked)), "best")
    ranks |= dict.fromkeys(range(middle, min(middle + _PER_RANK, len(ranked))), "median")
    ranks |= dict.fromkeys(range(min(_PER_RANK, len(ranked))), "worst")
    return [(ranks[index], ranked[index]) for index in sorted(ranks)]


def write_contact_sheet(
    path: Path, style: str, teacher: str, scores: Sequence[dict[str, Any]], load_triple: Callable[[str], Triple]
) -> None:
    """Write the sheet with every tile at full size, labelled with names and scores from `photo_scores`.

    `load_triple` returns the three images by the name of the region. Raises SinkError if the sheet cannot be written.
    """
    rows = [_row(rank, picture, load_triple(picture["name"])) for rank, picture in select_rows(scores)]
    headings = ["input", f"teacher {teacher}", f"student {style}"]
    tile_px = (rows[0].shape[1] + _GAP_PX) // 3
    head = _text_strip(rows[0].shape[1], [(column * tile_px, text) for column, text in enumerate(headings)])
    sheet_rgb = np.pad(np.vstack([head, *rows]), ((_GAP_PX, 0), (_GAP_PX, _GAP_PX), (0, 0)), constant_values=255)
    write_picture(path, np.ascontiguousarray(sheet_rgb[:, :, ::-1]))


def _row(rank: str, picture: dict[str, Any], triple: Triple) -> NDArray[np.uint8]:
    gap = np.full((triple.input_rgb.shape[0], _GAP_PX, 3), 255, np.uint8)
    tiles = np.hstack([triple.input_rgb, gap, triple.teacher_rgb, gap, triple.student_rgb])
    label = _text_strip(tiles.shape[1], [(0, f"{rank}: {picture['name']}")])
    return np.vstack([tiles, label, _text_strip(tiles.shape[1], [(0, _score_text(picture))])])


def _score_text(picture: dict[str, Any]) -> str:
    parts = [f"PSNR {picture['psnr_db']:.1f} dB", f"SSIM {picture['ssim']:.3f}"]
    for key, label in (("line_precision", "lines: precision"), ("line_recall", "recall")):
        parts.append(f"{label} {'-' if picture[key] is None else format(picture[key], '.0%')}")
    parts.append(f"crisp {'-' if picture['line_crispness'] is None else format(picture['line_crispness'], '.2f')}")
    drift = picture["drift_percent"]
    parts.append(f"no face on the {picture['no_face_on']}" if drift is None else f"drift {drift:.1f} %")
    return "  ".join(parts)


def _text_strip(width: int, texts: Sequence[tuple[int, str]]) -> NDArray[np.uint8]:
    """Draw texts at their left positions; returns (22, width, 3) RGB uint8."""
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (width, _LINE_PX), "white")
    for left, text in texts:
        ImageDraw.Draw(strip).text((left, 2), text, fill=_TEXT_RGB, font=ImageFont.load_default(_TEXT_PX))
    return np.array(strip)
