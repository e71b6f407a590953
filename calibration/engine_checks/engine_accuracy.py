"""Comparison of an engine with the FP32 reference on the calibration set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from calibration.engine_checks.tolerances import (
    BatchScores,
    CaseScores,
    EngineVerdict,
    Tolerances,
    failure_reason,
)
from calibration.evaluation.image_metrics import SSIM_MIN_SIDE_PX, lab, mean_ciede2000, ssim
from calibration.evaluation.student import finished_rgb
from calibration.sets.set_pictures import SetPicture
from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, Engine
from engines.styles import Style
from engines.training.metrics.psnr import mse_to_psnr_db

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
_PICTURES_PER_BATCH = 20  # one batch of MAX_FACES for every 20 images: a fifth is enough to detect a batching error


class Reference:
    """Outputs of the FP32 engine on the calibration set; clips are lists of (H, W, 3) BGR uint8 frames."""

    def __init__(
        self, style: Style, engine: Engine, pictures: Sequence[SetPicture], clips: Sequence[Sequence[ImageU8]]
    ) -> None:
        self.style, self.pictures, self._clips = style, list(pictures), clips
        self._outputs = [_infer_one(engine, picture.crop_bgr) for picture in self.pictures]
        self._finished_rgb = [
            finished_rgb(self.style, picture.crop_bgr, output)
            for picture, output in zip(self.pictures, self._outputs, strict=True)
        ]
        self._lab = [lab(rgb) for rgb in self._finished_rgb]
        self._clip_change = self._mean_clip_change(engine)

    def evaluate(self, engine: Engine, tolerances: Tolerances) -> EngineVerdict:
        """Compare an engine of the same style and size with the reference. Raises EngineError if the engine failed."""
        scored: dict[str, list[_PictureScores]] = {}
        for index, picture in enumerate(self.pictures):
            scores = self._score(index, _infer_one(engine, picture.crop_bgr))
            for name in (picture.case, "all"):
                scored.setdefault(name, []).append(scores)
        cases = {name: _aggregate(scores) for name, scores in scored.items()}
        batch = self._score_batches(engine, scored["all"]) if scored else None
        change = self._mean_clip_change(engine)
        flicker = None if change is None or not self._clip_change else change / self._clip_change
        return EngineVerdict(cases, flicker, failure_reason(cases, batch, tolerances), batch)

    def _score_batches(self, engine: Engine, single: Sequence[_PictureScores]) -> BatchScores:
        """Score images of all cases with `MAX_FACES` per call: engines hold a separate graph for batches."""
        count = max(1, len(single) // _PICTURES_PER_BATCH) * MAX_FACES
        indices = np.linspace(0, len(single) - 1, count).round().astype(int).tolist()
        scored: list[_PictureScores] = []
        for begin in range(0, count, MAX_FACES):
            batch = indices[begin : begin + MAX_FACES]
            regions_bgr = np.stack([self.pictures[index].crop_bgr for index in batch])
            try:
                outputs = np.array(engine.infer(regions_bgr), np.float32)
            except EngineError as error:
                return BatchScores(MAX_FACES, None, error=error.got)
            scored += [self._score(index, output) for index, output in zip(batch, outputs, strict=True)]
        same = [single[index] for index in indices]
        added_de = max(after.mean_de - before.mean_de for after, before in zip(scored, same, strict=True))
        return BatchScores(MAX_FACES, _aggregate(scored), _aggregate(same), added_de)

    def _score(self, index: int, output: Floats) -> _PictureScores:
        finite = np.isfinite(output)
        error = np.abs(output - self._outputs[index])[finite]
        with np.errstate(invalid="ignore"):
            rgb = finished_rgb(
                self.style, self.pictures[index].crop_bgr, np.nan_to_num(output, posinf=255.0, neginf=0.0)
            )
        reference_rgb = self._finished_rgb[index]
        mean_square = float(np.square(rgb.astype(np.float32) - reference_rgb).mean())
        similarity = ssim(rgb, reference_rgb) if min(rgb.shape[:2]) >= SSIM_MIN_SIDE_PX else float("nan")
        largest, mean = (float(error.max()), float(error.mean())) if error.size else (float("inf"), float("inf"))
        mean_de = mean_ciede2000(self._lab[index], rgb)
        return _PictureScores(largest, mean, mean_square, similarity, mean_de, int((~finite).sum()))

    def _mean_clip_change(self, engine: Engine) -> float | None:
        """Return the mean absolute frame-to-frame change of the finished images, in levels of 255."""
        changes = []
        for frames_bgr in self._clips:
            shown: list[Floats] = []
            for bgr in frames_bgr:
                if self.style.sees_last_picture and shown:
                    height = self.style.size_wh[1]
                    bgr = self.style.engine_input(bgr[:height], last_bgr=shown[-1][:, :, ::-1].astype(np.uint8))
                rgb = finished_rgb(self.style, bgr, np.nan_to_num(_infer_one(engine, bgr)))
                shown.append(rgb.astype(np.float32))
            changes += [float(np.abs(after - before).mean()) for before, after in pairwise(shown)]
        return float(np.mean(changes)) if changes else None


@dataclass(frozen=True, slots=True)
class _PictureScores:
    max_error: float
    mean_error: float
    mean_square: float
    ssim: float
    mean_de: float
    non_finite: int


def _infer_one(engine: Engine, crop_bgr: ImageU8) -> Floats:
    return np.array(engine.infer(np.ascontiguousarray(crop_bgr[None]))[0], np.float32)


def _aggregate(scored: Sequence[_PictureScores]) -> CaseScores:
    def mean(name: str) -> float:
        return float(np.mean([getattr(scores, name) for scores in scored]))

    return CaseScores(
        pictures=len(scored),
        max_error=max(scores.max_error for scores in scored),
        mean_error=mean("mean_error"),
        psnr_db=mse_to_psnr_db(mean("mean_square")),
        worst_psnr_db=mse_to_psnr_db(max(scores.mean_square for scores in scored)),
        ssim=mean("ssim"),
        mean_de=mean("mean_de"),
        non_finite=sum(scores.non_finite for scores in scored),
    )
