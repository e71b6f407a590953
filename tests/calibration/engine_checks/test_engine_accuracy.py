"""Engines held against FP32: what passes, what fails, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.engine_checks.engine_accuracy import Reference
from calibration.engine_checks.tolerances import FLOAT_LIMITS, INT8_LIMITS, limits_of
from calibration.sets.set_pictures import clips, stills
from engines.errors import EngineError
from engines.runtime.base import EngineInfo
from engines.runtime.torch.reference_engine import TorchEngine
from engines.styles import load_style

Floats = NDArray[np.float32]
Spoil = Callable[[NDArray[np.uint8], Floats], Floats]
pytestmark = pytest.mark.usefixtures("one_thread")


class Spoilt:
    """Stands in for an engine with a fault: the reference's answer, changed."""

    def __init__(self, real: TorchEngine, spoil: Spoil) -> None:
        self._real, self._spoil = real, spoil
        self.info = EngineInfo("lips-glaze", "stand-in", "none", "here", "")

    def infer(self, regions_bgr: NDArray[np.uint8]) -> Floats:
        return self._spoil(regions_bgr, np.array(self._real.infer(regions_bgr)))

    def close(self) -> None: ...


@pytest.fixture
def real() -> TorchEngine:
    return TorchEngine(load_style("lips-glaze"), why="the reference")


@pytest.fixture
def reference(built_in_set: Path, real: TorchEngine) -> Reference:
    style = load_style("lips-glaze")
    return Reference(style, real, stills(style), clips(style))


def test_the_reference_is_no_way_off_itself(reference: Reference, real: TorchEngine) -> None:
    judged = reference.judge(real, FLOAT_LIMITS)
    scores = judged.cases["all"]
    assert judged.passed and judged.flicker == 1.0
    assert (scores.mean_de, scores.psnr_db, scores.max_error, scores.non_finite) == (0, 100, 0, 0)
    assert scores.ssim == pytest.approx(1) and scores.pictures == len(reference.pictures)


def test_int8_may_be_farther_off_than_half_precision(reference: Reference, real: TorchEngine) -> None:
    def grainy(_: NDArray[np.uint8], answer: Floats) -> Floats:
        return answer + np.random.default_rng(0).normal(0, 1.8, answer.shape).astype(np.float32)

    engine = Spoilt(real, grainy)
    assert reference.judge(engine, INT8_LIMITS).passed
    judged = reference.judge(engine, FLOAT_LIMITS)
    assert not judged.passed and "mean dE" in judged.because and "at most 0.5" in judged.because
    assert judged.cases["all"].mean_error == pytest.approx(1.8 * 0.798, rel=0.05)
    assert (limits_of("int8"), limits_of("fp16"), limits_of("bf16")) == (INT8_LIMITS, FLOAT_LIMITS, FLOAT_LIMITS)


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_a_single_number_that_is_none_fails(lost: float, reference: Reference, real: TorchEngine) -> None:
    def holed(_: NDArray[np.uint8], answer: Floats) -> Floats:
        answer[0, 3, 4, 1] = lost
        return answer

    judged = reference.judge(Spoilt(real, holed), INT8_LIMITS)
    assert (
        not judged.passed and judged.because == f"{len(reference.pictures)} numbers in its answers are NaN or infinite"
    )


def test_one_hard_case_is_not_outweighed_by_the_others(built_in_set: Path) -> None:
    style = load_style("toon")
    real = TorchEngine(style, why="")
    pictures = [one for one in stills(style, most=2) if one.case in ("plain", "turned", "dark")]
    reference = Reference(style, real, pictures, [])

    def green(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        return answer + np.array((0, 2, 0), np.float32) if regions_bgr.mean() < 45 else answer

    judged = reference.judge(Spoilt(real, green), INT8_LIMITS)
    assert judged.cases["all"].mean_de < INT8_LIMITS.most_mean_de and judged.cases["plain"].mean_de < 1e-9
    assert not judged.passed and "dark pictures" in judged.because


def test_an_engine_that_trembles_is_seen_on_the_clip(reference: Reference, real: TorchEngine) -> None:
    turn = 0

    def trembling(_: NDArray[np.uint8], answer: Floats) -> Floats:
        nonlocal turn
        turn += 1
        return answer + 3 * (-1) ** turn

    flicker = reference.judge(Spoilt(real, trembling), INT8_LIMITS).flicker
    assert flicker is not None and flicker > 1.1


def test_without_a_picture_nothing_passes(real: TorchEngine) -> None:
    judged = Reference(load_style("lips-glaze"), real, [], []).judge(real, INT8_LIMITS)
    assert not judged.passed and "no calibration picture" in judged.because


def test_several_faces_at_once_are_judged_too(reference: Reference, real: TorchEngine) -> None:
    given: list[int] = []

    def counted(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        given.append(len(regions_bgr))
        return answer

    judged = reference.judge(Spoilt(real, counted), FLOAT_LIMITS)
    assert judged.passed and judged.several is not None and judged.several.scores is not None
    assert judged.several.at_once == 4 and judged.several.scores.mean_de < 0.01
    assert given.count(4) == len(reference.pictures) // 20 == 1 and set(given) == {1, 4}, "a fifth is enough"
    assert judged.as_dict()["several"]["scores"]["non_finite"] == judged.non_finite == 0


def swapped(answer: Floats) -> Floats:
    return np.ascontiguousarray(answer[[1, 0, 2, 3]])


def holed(answer: Floats) -> Floats:
    answer[3, 3, 4, 1] = np.nan
    return answer


def tinted(answer: Floats) -> Floats:
    answer[2] += np.array((0, 6, 0), np.float32)  # of one face in four: less than the limit on average
    return answer


def grey(answer: Floats) -> Floats:
    return answer + np.float32(20)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (swapped, "with 4 faces at once"),
        (holed, "1 number in its answers with 4 faces at once is NaN or infinite"),
        (tinted, "dE farther off with 4 faces at once than alone, at most 1.0"),
        (grey, "with 4 faces at once, at"),
    ],
)
def test_a_fault_that_only_several_faces_show_fails(
    spoil: Callable[[Floats], Floats], says: str, reference: Reference, real: TorchEngine
) -> None:
    engine = Spoilt(real, lambda regions_bgr, answer: spoil(answer) if len(regions_bgr) > 1 else answer)
    judged = reference.judge(engine, INT8_LIMITS)
    assert not judged.passed and says in judged.because
    assert judged.cases["all"].mean_de < 0.01, "alone it is right"


def test_few_hard_pictures_are_not_held_against_several_faces(reference: Reference, real: TorchEngine) -> None:
    drawn = {reference.pictures[index].crop_bgr.tobytes() for index in (0, 6, 13, 19)}  # those of the one batch

    def green(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        for region_bgr, one in zip(regions_bgr, answer, strict=True):
            one += np.array((0, 4, 0), np.float32) if region_bgr.tobytes() in drawn else 0
        return answer

    judged = reference.judge(Spoilt(real, green), INT8_LIMITS)
    assert judged.several is not None and judged.several.scores is not None
    assert judged.several.scores.mean_de > INT8_LIMITS.most_mean_de > judged.cases["all"].mean_de
    assert judged.passed, "they are as far off alone, and their cases hold"


def test_an_engine_that_takes_one_face_only_fails(reference: Reference, real: TorchEngine) -> None:
    def refuse(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        if len(regions_bgr) > 1:
            raise EngineError("style lips-glaze", "OpenVINO failed: out of memory")
        return answer

    judged = reference.judge(Spoilt(real, refuse), INT8_LIMITS)
    assert judged.because == "with 4 faces at once OpenVINO failed: out of memory"


def test_few_pictures_make_a_batch_all_the_same(reference: Reference, real: TorchEngine) -> None:
    style = load_style("lips-glaze")
    judged = Reference(style, real, reference.pictures[:1], []).judge(real, FLOAT_LIMITS)
    assert judged.passed and judged.several is not None and judged.several.at_once == 4
