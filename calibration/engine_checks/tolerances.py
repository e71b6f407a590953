"""Tolerances on the deviation of an engine from the FP32 reference, and the verdict that follows from its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Limits for each calibration case: the mean CIEDE2000 colour difference, and the PSNR in dB with peak 255."""

    max_mean_de: float
    min_psnr_db: float


FLOAT_TOLERANCES, INT8_TOLERANCES = Tolerances(0.5, 40.0), Tolerances(1.0, 34.0)


@dataclass(frozen=True, slots=True)
class CaseScores:
    """Deviation from the reference over the images of one calibration case.

    `max_error` and `mean_error` compare the finite raw network outputs in levels of 255; `non_finite` counts the other
    values. The other scores compare the finished 8-bit images. PSNR is 100 dB if they are equal.
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
class BatchScores:
    """Deviation when the engine receives several regions per call, as it does for several faces.

    Attributes:
        scores: Over all batched images; None if the engine failed with `error`.
        single: Scores of the same images with one region per call.
        added_de: Largest increase of an image's mean CIEDE2000 from single to batched.
    """

    size: int
    scores: CaseScores | None
    single: CaseScores | None = None
    added_de: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """Scores of one engine by case name, plus "all", and why it fails; `reason` is empty if it passes.

    `flicker` is the mean frame-to-frame change of the engine's output on the calibration clips divided by that of the
    reference; None without a clip or without change.
    """

    cases: dict[str, CaseScores]
    flicker: float | None
    reason: str
    batch: BatchScores | None = None

    @property
    def passed(self) -> bool:
        """Whether the engine may be used."""
        return not self.reason

    @property
    def non_finite(self) -> int:
        """Number of NaN or infinite values in all outputs."""
        both = self.cases.get("all"), self.batch.scores if self.batch else None
        return sum(scores.non_finite for scores in both if scores)

    def as_dict(self) -> dict[str, Any]:
        """Return the scores for the verdict file and for JSON output."""
        cases = {name: asdict(scores) for name, scores in self.cases.items()}
        return {"cases": cases, "batch": asdict(self.batch) if self.batch else None, "flicker": self.flicker}


def tolerances_for(precision: str) -> Tolerances:
    """Return the INT8 tolerances for "int8", and those of half precision for every other precision."""
    return INT8_TOLERANCES if precision == "int8" else FLOAT_TOLERANCES


def failure_reason(cases: Mapping[str, CaseScores], batch: BatchScores | None, tolerances: Tolerances) -> str:
    """Describe the two largest violations, worst first; return an empty string if there is none.

    Each case is tested separately, so that many plain images cannot hide an error on dark ones. A batched region may
    deviate from its single result by at most the colour tolerance.
    """
    if not cases:
        return "the calibration set has no image for this style"
    if cases["all"].non_finite:
        return _non_finite(cases["all"].non_finite)
    found = []
    for name, scores in cases.items():
        found += _violations(scores, "over all pictures" if name == "all" else f"on {name} pictures", tolerances)
    if batch is not None:
        where = f"with {batch.size} faces per call"
        if batch.scores is None:
            return f"{where} {batch.error}"
        if batch.scores.non_finite:
            return _non_finite(batch.scores.non_finite, f" {where}")
        if batch.single is None or not _violations(batch.single, where, tolerances):
            found += _violations(batch.scores, where, tolerances)
        if not batch.added_de <= tolerances.max_mean_de:
            text = f"batching adds {batch.added_de:.2f} dE to one face {where}, maximum {tolerances.max_mean_de}"
            found.append((batch.added_de / tolerances.max_mean_de, text))
    return "; ".join(text for _, text in sorted(found, reverse=True)[:2])


def _non_finite(count: int, where: str = "") -> str:
    return f"{count} output value{'s are' if count > 1 else ' is'} NaN or infinite{where}"


def _violations(scores: CaseScores, where: str, tolerances: Tolerances) -> list[tuple[float, str]]:
    """Return pairs of excess factor and description."""
    found = []
    if not scores.mean_de <= tolerances.max_mean_de:
        text = f"mean dE {scores.mean_de:.2f} {where}, maximum {tolerances.max_mean_de}"
        found.append((scores.mean_de / tolerances.max_mean_de, text))
    if not scores.psnr_db >= tolerances.min_psnr_db:
        text = f"PSNR {scores.psnr_db:.1f} dB {where}, minimum {tolerances.min_psnr_db:.0f}"
        found.append((tolerances.min_psnr_db / max(scores.psnr_db, 1e-3), text))
    return found
