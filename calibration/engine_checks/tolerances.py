"""What an engine may be off FP32: the limits, the scores that are held against them, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
class Several:
    """The same of pictures that the engine was given several at once, as live gives it several faces.

    Attributes:
        at_once: how many.
        scores: over all of them; None where the engine failed.
        alone: the same pictures' scores where each was given alone.
        added_de: how much more dE2000 one of them is off than alone, at most.
        failed: in which words it failed; empty where it did not.
    """

    at_once: int
    scores: CaseScores | None
    alone: CaseScores | None = None
    added_de: float = 0.0
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """An engine's scores.

    Attributes:
        cases: by the case's name, and "all".
        flicker: mean frame-to-frame change of the engine's pictures on the sets' clips over that of the reference's;
            None without a clip, or where nothing changes.
        because: why it fails; empty where it passes.
        several: for several faces at once; None where nothing was judged.
    """

    cases: dict[str, CaseScores]
    flicker: float | None
    because: str
    several: Several | None = None

    @property
    def passed(self) -> bool:
        """Whether it may touch a face."""
        return not self.because

    @property
    def non_finite(self) -> int:
        """Numbers in all its answers that are NaN or infinite."""
        both = self.cases.get("all"), self.several.scores if self.several else None
        return sum(scores.non_finite for scores in both if scores)

    def as_dict(self) -> dict[str, Any]:
        """For the verdict's file and for JSON."""
        several = asdict(self.several) if self.several else None
        cases = {name: asdict(scores) for name, scores in self.cases.items()}
        return {"cases": cases, "several": several, "flicker": self.flicker}


def limits_of(precision: str) -> Limits:
    """INT8 may be farther off than half precision; FP32 in another runtime is held to what half precision is."""
    return INT8_LIMITS if precision == "int8" else FLOAT_LIMITS


def because(cases: Mapping[str, CaseScores], several: Several | None, limits: Limits) -> str:
    """What is beyond the limits, worst first, as part of a sentence; empty where nothing is.

    Every case counts by itself: many plain pictures must not outweigh a dark one that turns grey. So does each of
    several faces at once: it must not be farther off than alone by more than the limit.
    """
    if not cases:
        return "there is no calibration picture that it could be tried on"
    lost = cases["all"].non_finite
    if lost:
        return _lost(lost)
    found = []
    for name, scores in cases.items():
        found += _beyond(scores, "over all pictures" if name == "all" else f"on {name} pictures", limits)
    if several is not None:
        where = f"with {several.at_once} faces at once"
        if several.scores is None:
            return f"{where} {several.failed}"
        if several.scores.non_finite:
            return _lost(several.scores.non_finite, f" {where}")
        if several.alone is None or not _beyond(several.alone, where, limits):  # else it is these few pictures
            found += _beyond(several.scores, where, limits)
        if not several.added_de <= limits.most_mean_de:
            said = (
                f"one face is {several.added_de:.2f} dE farther off {where} than alone, at most {limits.most_mean_de}"
            )
            found.append((several.added_de / limits.most_mean_de, said))
    return "; ".join(said for _, said in sorted(found, reverse=True)[:2])


def _lost(count: int, where: str = "") -> str:
    return (
        f"{count} number{'s' if count > 1 else ''} in its answers{where} {'are' if count > 1 else 'is'} NaN or infinite"
    )


def _beyond(scores: CaseScores, where: str, limits: Limits) -> list[tuple[float, str]]:
    """By how much, and in which words."""
    found = []
    if not scores.mean_de <= limits.most_mean_de:
        said = f"mean dE {scores.mean_de:.2f} {where}, at most {limits.most_mean_de}"
        found.append((scores.mean_de / limits.most_mean_de, said))
    if not scores.psnr_db >= limits.least_psnr_db:
        said = f"PSNR {scores.psnr_db:.1f} dB {where}, at least {limits.least_psnr_db:.0f}"
        found.append((limits.least_psnr_db / max(scores.psnr_db, 1e-3), said))
    return found
