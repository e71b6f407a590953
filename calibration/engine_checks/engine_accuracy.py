"""An engine held against the FP32 reference on the calibration set: the numbers, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from calibration.engine_checks.tolerances import CaseScores, Judgement, Limits, Several, because
from calibration.evaluation.ssim import SSIM_LEAST_SIDE_PX, ssim
from calibration.sets.set_pictures import SetPicture
from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, Engine
from engines.styles import Style

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
_BEST_DB = 100.0
_BATCH_EVERY = 20  # pictures: a fifth of them is enough to see what another number of faces does


class Reference:
    """What FP32 makes of the calibration set, worked out once for all engines of a style.

    Args:
        style: as the pictures were cut for.
        engine: the reference.
        pictures: of the set.
        clips: frames (H, W, 3) BGR that follow each other.
    """

    def __init__(
        self, style: Style, engine: Engine, pictures: Sequence[SetPicture], clips: Sequence[Sequence[ImageU8]]
    ) -> None:
        self.style, self.pictures, self._clips = style, list(pictures), clips
        self._answers = [_answer(engine, one.crop_bgr) for one in self.pictures]
        finished = [self._finished(one, answer) for one, answer in zip(self.pictures, self._answers, strict=True)]
        self._rgb, self._lab = finished, [_lab(rgb) for rgb in finished]
        self._change = self._clip_change(engine)

    def judge(self, engine: Engine, limits: Limits, *, on_picture: Callable[[], None] = lambda: None) -> Judgement:
        """Hold an engine of the same style and size against it.

        Raises:
            EngineError: the engine failed.
        """
        rows: dict[str, list[_Row]] = {}
        for index, one in enumerate(self.pictures):
            row = self._row(index, _answer(engine, one.crop_bgr))
            for name in (one.case, "all"):
                rows.setdefault(name, []).append(row)
            on_picture()
        cases = {name: _summed(found) for name, found in rows.items()}
        several = self._several(engine, rows["all"]) if rows else None
        change = self._clip_change(engine)
        flicker = None if change is None or not self._change else change / self._change
        return Judgement(cases, flicker, because(cases, several, limits), several)

    def _several(self, engine: Engine, alone: Sequence[_Row]) -> Several:
        """Some pictures of all cases, `MAX_FACES` at once: engines have a graph of its own for that."""
        count = max(1, len(alone) // _BATCH_EVERY) * MAX_FACES
        indices = np.linspace(0, len(alone) - 1, count).round().astype(int).tolist()
        rows: list[_Row] = []
        for begin in range(0, count, MAX_FACES):
            batch = indices[begin : begin + MAX_FACES]
            try:
                answers = np.array(
                    engine.infer(np.stack([self.pictures[index].crop_bgr for index in batch])), np.float32
                )
            except EngineError as error:
                return Several(MAX_FACES, None, failed=error.got)
            rows += [self._row(index, answer) for index, answer in zip(batch, answers, strict=True)]
        same = [alone[index] for index in indices]
        added_de = max(row.mean_de - before.mean_de for row, before in zip(rows, same, strict=True))
        return Several(MAX_FACES, _summed(rows), _summed(same), added_de)

    def _row(self, index: int, answer: Floats) -> _Row:
        finite = np.isfinite(answer)
        off = np.abs(answer - self._answers[index])[finite]
        with np.errstate(invalid="ignore"):
            rgb = self._finished(self.pictures[index], np.nan_to_num(answer, posinf=255.0, neginf=0.0))
        reference_rgb = self._rgb[index]
        squares = np.square(rgb.astype(np.float32) - reference_rgb)
        alike = ssim(rgb, reference_rgb) if min(rgb.shape[:2]) >= SSIM_LEAST_SIDE_PX else float("nan")
        most, mean = (float(off.max()), float(off.mean())) if off.size else (float("inf"), float("inf"))
        return _Row(most, mean, float(squares.mean()), alike, _mean_de(self._lab[index], rgb), int((~finite).sum()))

    def _finished(self, one: SetPicture, answer: Floats) -> ImageU8:
        """The picture that live would show, RGB."""
        whole = one.crop_bgr + answer if self.style.output == "change" else answer
        return np.ascontiguousarray(np.clip(np.rint(whole), 0, 255).astype(np.uint8)[:, :, ::-1])

    def _clip_change(self, engine: Engine) -> float | None:
        """Mean absolute change from frame to frame, in levels of 255."""
        changes = []
        for frames in self._clips:
            shown = [
                self._finished(SetPicture("", bgr), np.nan_to_num(_answer(engine, bgr))).astype(np.float32)
                for bgr in frames
            ]
            changes += [float(np.abs(now - before).mean()) for before, now in pairwise(shown)]
        return float(np.mean(changes)) if changes else None


@dataclass(frozen=True, slots=True)
class _Row:
    max_error: float
    mean_error: float
    mean_square: float
    ssim: float
    mean_de: float
    non_finite: int


def _answer(engine: Engine, crop_bgr: ImageU8) -> Floats:
    return np.array(engine.infer(np.ascontiguousarray(crop_bgr[None]))[0], np.float32)


def _lab(rgb: ImageU8) -> NDArray[np.float64]:
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(rgb))


def _mean_de(reference_lab: NDArray[np.float64], rgb: ImageU8) -> float:
    from skimage.color import deltaE_ciede2000

    return float(np.mean(deltaE_ciede2000(reference_lab, _lab(rgb))))


def _summed(rows: Sequence[_Row]) -> CaseScores:
    def mean(name: str) -> float:
        return float(np.mean([getattr(row, name) for row in rows]))

    return CaseScores(
        pictures=len(rows),
        max_error=max(row.max_error for row in rows),
        mean_error=mean("mean_error"),
        psnr_db=_decibel(mean("mean_square")),
        worst_psnr_db=_decibel(max(row.mean_square for row in rows)),
        ssim=mean("ssim"),
        mean_de=mean("mean_de"),
        non_finite=sum(row.non_finite for row in rows),
    )


def _decibel(mean_square: float) -> float:
    return min(_BEST_DB, 10 * float(np.log10(255.0**2 / mean_square))) if mean_square > 0 else _BEST_DB
