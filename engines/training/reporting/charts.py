"""Loss curves and sample sheets as PNG, drawn with OpenCV."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import atomic_path
from engines.training.data.picture_pairs import ImageU8

_WIDTH, _PANEL, _LEFT, _GAP = 900, 200, 90, 46
_INK, _GREY, _BLUE = (40, 40, 40), (225, 225, 225), (200, 110, 30)  # BGR


GROWTH = "growth"  # folder of the sample sheets that become a film


def save_charts(
    work: Path, checks: Sequence[dict[str, float]], samples: Sequence[Sequence[ImageU8]], *, film: bool = False
) -> None:
    """Write `curves.png` and `samples.png` into a folder. Failures are ignored: the checkpoint matters more.

    Args:
        samples: Rows of pictures of one size, (H, W, 3) RGB uint8; none for no sample sheet.
        film: Whether the sheet is also kept as `growth/STEP.png`.
    """
    if samples:
        sheet = np.vstack([np.hstack(list(row)) for row in samples])[:, :, ::-1]
        _write(work / "samples.png", sheet)
        if film:
            with contextlib.suppress(OSError):
                (work / GROWTH).mkdir(exist_ok=True)
                for old in (work / GROWTH).glob("*.png") if len(checks) == 1 else ():  # of an earlier training
                    old.unlink()
            _write(work / GROWTH / f"{int(checks[-1]['step']):09}.png", sheet)
    if len(checks[0]) > 1:
        _write(work / "curves.png", curves(checks))


def _write(path: Path, picture_bgr: ImageU8) -> None:
    with contextlib.suppress(OSError), atomic_path(path) as part:
        cv2.imwrite(str(part), picture_bgr)


def curves(checks: Sequence[dict[str, float]]) -> ImageU8:
    """Return one panel for each loss and score over the steps, with last value and range: (H, 900, 3) BGR uint8."""
    every = dict.fromkeys(name for check in checks for name in check)  # in their order; some begin at a later step
    names = [name for name in every if name not in ("step", "unpainted_psnr_db")]
    picture = np.full((len(names) * (_PANEL + _GAP) + _GAP // 2, _WIDTH, 3), 255, np.uint8)
    for row, name in enumerate(names):
        points = [(check["step"], check[name]) for check in checks if name in check]
        top, last = row * (_PANEL + _GAP) + _GAP - 8, checks[-1]["step"]
        _draw_panel(picture, top, name, np.array(points, np.float64), last)
    return picture


def _draw_panel(picture: ImageU8, top: int, name: str, points: NDArray[np.float64], last_step: float) -> None:
    steps, values = points.T
    low, high = float(values.min()), float(values.max())
    right, bottom = _WIDTH - 20, top + _PANEL
    cv2.rectangle(picture, (_LEFT, top), (right, bottom), _GREY, 1)
    for value, y in ((high, top + 6), (low, bottom)):
        _draw_text(picture, f"{value:.4g}", (6, y))
    _draw_text(picture, f"{name}: {values[-1]:.5g} at step {int(steps[-1])}", (_LEFT, top - 8))
    x = _LEFT + (right - _LEFT) * steps / max(last_step, 1.0)
    y = bottom - _PANEL * (values - low) / max(high - low, 1e-9)
    line = np.rint(np.stack((x, y), 1)).astype(np.int32)
    cv2.polylines(picture, [line], False, _BLUE, 2, cv2.LINE_AA)
    cv2.circle(picture, line[-1].tolist(), 3, _BLUE, -1, cv2.LINE_AA)


def _draw_text(picture: ImageU8, text: str, at_xy: tuple[int, int]) -> None:
    cv2.putText(picture, text, at_xy, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
