"""An engine held against the FP32 reference on the calibration set: the numbers, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.scores import SSIM_LEAST_SIDE_PX, ssim
from calibration.set_pictures import SetPicture
from engines.runtime.base import Engine
from engines.styles import Style

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
_BEST_DB = 100.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine may be off FP32 on the pictures of each case.

    Attributes:
        most_mean_de: dE2000.
        least_psnr_db: peak 255.
    """

    most_mean_de: float
    least_psnr_db: float


FLOAT_LIMITS, INT8_LIMITS = Limits(0.5, 40.0), Limits(1.0, 34.0)


@dataclass(frozen=True, slots=True)
class CaseScores:
    """How far an engine is off FP32 on the pictures of one case.

    Attributes:
        pictures: how many.
        max_error: of the network's answer, levels of 255; so `mean_error`. Over what is finite.
        psnr_db: of the finished pictures, over all their pixels; 100 where they are equal.
        worst_psnr_db: of the worst of them.
        ssim: their mean.
        mean_de: dE2000 of the finished pictures, over all their pixels.
        non_finite: numbers in the answers that are NaN or infinite.
    """

    pictures: int
    max_error: float
    mean_error: float
    psnr_db: float
    worst_psnr_db: float
    ssim: float
    mean_de: float
    non_finite: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """An engine's scores.

    Attributes:
        cases: by the case's name, and "all".
        flicker: mean frame-to-frame change of the engine's pictures on the sets' clips over that of the reference's;
            None without a clip, or where nothing changes.
        because: why it fails; empty where it passes.
    """

    cases: dict[str, CaseScores]
    flicker: float | None
    because: str

    @property
    def passed(self) -> bool:
        """Whether it may touch a face."""
        return not self.because

    def as_dict(self) -> dict[str, Any]:
        """For the verdict's file and for JSON."""
        return {"cases": {name: asdict(scores) for name, scores in self.cases.items()}, "flicker": self.flicker}


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
        change = self._clip_change(engine)
        flicker = None if change is None or not self._change else change / self._change
        return Judgement(cases, flicker, because(cases, limits))

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


def because(cases: dict[str, CaseScores], limits: Limits) -> str:
    """What is beyond the limits, worst first, as part of a sentence; empty where nothing is.

    Every case counts by itself: many plain pictures must not outweigh a dark one that turns grey.
    """
    if not cases:
        return "there is no calibration picture that it could be tried on"
    lost = cases["all"].non_finite
    if lost:
        return f"{lost} numbers in its answers are NaN or infinite"
    found = []
    for name, scores in cases.items():
        where = "over all pictures" if name == "all" else f"on {name} pictures"
        if not scores.mean_de <= limits.most_mean_de:
            said = f"mean dE {scores.mean_de:.2f} {where}, at most {limits.most_mean_de}"
            found.append((scores.mean_de / limits.most_mean_de, said))
        if not scores.psnr_db >= limits.least_psnr_db:
            said = f"PSNR {scores.psnr_db:.1f} dB {where}, at least {limits.least_psnr_db:.0f}"
            found.append((limits.least_psnr_db / max(scores.psnr_db, 1e-3), said))
    return "; ".join(said for _, said in sorted(found, reverse=True)[:2])


def limits_of(precision: str) -> Limits:
    """INT8 may be farther off than half precision; FP32 in another runtime is held to what half precision is."""
    return INT8_LIMITS if precision == "int8" else FLOAT_LIMITS


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
