"""A contact sheet: input, teacher and student side by side, for the worst, the median and the best pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import SinkError
from live.sources.still_picture import PICTURE_SUFFIXES, write_picture

if TYPE_CHECKING:
    from calibration.evaluation.teacher_scores import Triple

_EACH = 2  # rows of each kind
_GAP_PX, _LINE_PX, _TEXT_PX = 6, 22, 15
_PAPER, _INK = (255, 255, 255), (30, 30, 30)


def check_sheet(path: Path) -> None:
    """Whether a sheet could be written there; asked before the work, not after it.

    Raises:
        SinkError: unknown suffix, or no such folder.
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise SinkError(f"--sheet {path}", f"unknown kind '{path.suffix}'", "end the name in .png")
    if not path.parent.is_dir():
        raise SinkError(f"--sheet {path}", f"there is no folder {path.parent}", "make it first")


def chosen(scores: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The pictures to show, each once: the two worst, two in the middle and the two best by PSNR, and which it is."""
    ranked = sorted(scores, key=lambda picture: float(picture["psnr_db"]))
    middle = max(0, (len(ranked) - _EACH) // 2)
    places = dict.fromkeys(range(max(0, len(ranked) - _EACH), len(ranked)), "best")
    places |= dict.fromkeys(range(middle, min(middle + _EACH, len(ranked))), "median")
    places |= dict.fromkeys(range(min(_EACH, len(ranked))), "worst")
    return [(places[place], ranked[place]) for place in sorted(places)]


def write_contact_sheet(
    path: Path, style: str, teacher: str, scores: Sequence[dict[str, Any]], triple_of: Callable[[str], Triple]
) -> None:
    """Write the sheet, every tile at full size, with names and numbers.

    Args:
        path: of a PNG or another picture.
        style: its name, for the heading.
        teacher: the same.
        scores: as `teacher_scores.photo_scores` gives them.
        triple_of: the pictures of a name.

    Raises:
        SinkError: it cannot be written.
    """
    rows = [_row(which, picture, triple_of(picture["name"])) for which, picture in chosen(scores)]
    heads = ["input", f"teacher {teacher}", f"student {style}"]
    tile_px = (rows[0].shape[1] + _GAP_PX) // 3
    head = _text(rows[0].shape[1], [(place * tile_px, text) for place, text in enumerate(heads)])
    sheet_rgb = np.pad(np.vstack([head, *rows]), ((_GAP_PX, 0), (_GAP_PX, _GAP_PX), (0, 0)), constant_values=255)
    write_picture(path, np.ascontiguousarray(sheet_rgb[:, :, ::-1]))


def _row(which: str, picture: dict[str, Any], shown: Triple) -> NDArray[np.uint8]:
    gap = np.full((shown.input_rgb.shape[0], _GAP_PX, 3), 255, np.uint8)
    tiles = np.hstack([shown.input_rgb, gap, shown.teacher_rgb, gap, shown.student_rgb])
    label = _text(tiles.shape[1], [(0, f"{which}: {picture['name']}")])
    return np.vstack([tiles, label, _text(tiles.shape[1], [(0, _numbers(picture))])])


def _numbers(picture: dict[str, Any]) -> str:
    parts = [f"PSNR {picture['psnr_db']:.1f} dB", f"SSIM {picture['ssim']:.3f}"]
    for key, what in (("line_precision", "lines: precision"), ("line_recall", "recall")):
        parts.append(f"{what} {'-' if picture[key] is None else format(picture[key], '.0%')}")
    parts.append(f"crisp {'-' if picture['line_crispness'] is None else format(picture['line_crispness'], '.2f')}")
    drift = picture["drift_percent"]
    parts.append(f"no face on the {picture['no_face_on']}" if drift is None else f"drift {drift:.1f} %")
    return "  ".join(parts)


def _text(width: int, texts: Sequence[tuple[int, str]]) -> NDArray[np.uint8]:
    """A strip of paper with texts at their left ends, (22, width, 3)."""
    from PIL import Image, ImageDraw, ImageFont  # a part of scikit-image's own needs; OpenCV writes ASCII only

    strip = Image.new("RGB", (width, _LINE_PX), _PAPER)
    for left, text in texts:
        ImageDraw.Draw(strip).text((left, 2), text, fill=_INK, font=ImageFont.load_default(_TEXT_PX))
    return np.array(strip)
