"""Loss curves and sample sheets as PNG, drawn with OpenCV: matplotlib would only come along by chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.picture_pairs import ImageU8

if TYPE_CHECKING:
    from engines.training.data.paired_dataset import Pairs
    from engines.training.methods.paired import Learner

_WIDTH, _PANEL, _LEFT, _GAP = 900, 200, 90, 46
_INK, _GREY, _BLUE = (40, 40, 40), (225, 225, 225), (200, 110, 30)  # BGR
_SAMPLES = 6


def save_all(work: Path, checks: Sequence[dict[str, float]], held_out: Pairs, learner: Learner) -> None:
    """Write `curves.png` and `samples.png` (rows: input, target, drawn) into a folder.

    A picture that cannot be written is left out: the checkpoint beside it is what counts.
    """
    chosen = np.linspace(0, len(held_out.names) - 1, min(_SAMPLES, len(held_out.names))).round().astype(int).tolist()
    some = held_out.only(chosen)
    rows = [list(some.before_rgb), list(some.after_rgb), list(learner.finished(some.before_rgb))]
    _write(work / "samples.png", np.vstack([np.hstack(row) for row in rows])[:, :, ::-1])
    _write(work / "curves.png", curves(checks))


def _write(path: Path, picture_bgr: ImageU8) -> None:
    part = path.with_suffix(".part.png")
    if cv2.imwrite(str(part), picture_bgr):
        part.replace(path)
    else:
        part.unlink(missing_ok=True)


def curves(checks: Sequence[dict[str, float]]) -> ImageU8:
    """One panel (BGR) for each loss and score over the steps, with the last value and the range."""
    names = [name for name in checks[0] if name not in ("step", "unpainted_psnr_db")]
    picture = np.full((len(names) * (_PANEL + _GAP) + _GAP // 2, _WIDTH, 3), 255, np.uint8)
    for row, name in enumerate(names):
        points = [(check["step"], check[name]) for check in checks if name in check]
        _panel(picture, row * (_PANEL + _GAP) + _GAP - 8, name, np.array(points, np.float64))
    return picture


def _panel(picture: ImageU8, top: int, name: str, points: NDArray[np.float64]) -> None:
    steps, values = points.T
    low, high = float(values.min()), float(values.max())
    spread = max(high - low, 1e-9)
    right, bottom = _WIDTH - 20, top + _PANEL
    cv2.rectangle(picture, (_LEFT, top), (right, bottom), _GREY, 1)
    for value, y in ((high, top + 6), (low, bottom)):
        _text(picture, f"{value:.4g}", (6, y))
    _text(picture, f"{name}: {values[-1]:.5g} at step {int(steps[-1])}", (_LEFT, top - 8))
    x = _LEFT + (right - _LEFT) * steps / max(float(steps[-1]), 1.0)
    y = bottom - _PANEL * (values - low) / spread
    line = np.rint(np.stack((x, y), 1)).astype(np.int32)
    cv2.polylines(picture, [line], False, _BLUE, 2, cv2.LINE_AA)
    cv2.circle(picture, line[-1].tolist(), 3, _BLUE, -1, cv2.LINE_AA)


def _text(picture: ImageU8, text: str, at_xy: tuple[int, int]) -> None:
    cv2.putText(picture, text, at_xy, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
