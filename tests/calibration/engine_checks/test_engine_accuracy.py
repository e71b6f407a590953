"""Comparison of engines with the FP32 reference: verdicts and their reasons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.engine_checks.engine_accuracy import Reference
from calibration.engine_checks.tolerances import FLOAT_TOLERANCES, INT8_TOLERANCES, tolerances_for
from calibration.sets.set_pictures import clips, stills
from engines.errors import EngineError
from engines.runtime.base import EngineInfo
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style

Floats = NDArray[np.float32]
Spoil = Callable[[NDArray[np.uint8], Floats], Floats]
pytestmark = pytest.mark.usefixtures("one_thread")


class Spoilt:
    """Engine that modifies the output of the reference."""

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


def test_reference_has_no_error_against_itself(reference: Reference, real: TorchEngine) -> None:
    found = reference.evaluate(real, FLOAT_TOLERANCES)
    scores = found.cases["all"]
    assert found.passed and found.flicker == 1.0
    assert (scores.psnr_db, scores.max_error, scores.non_finite) == (100, 0, 0)
    assert scores.mean_de < 1e-9
    assert scores.ssim == pytest.approx(1) and scores.pictures == len(reference.pictures)


def test_int8_tolerances_are_wider_than_half_precision(reference: Reference, real: TorchEngine) -> None:
    def grainy(_: NDArray[np.uint8], answer: Floats) -> Floats:
        return answer + np.random.default_rng(0).normal(0, 1.8, answer.shape).astype(np.float32)

    engine = Spoilt(real, grainy)
    assert reference.evaluate(engine, INT8_TOLERANCES).passed
    found = reference.evaluate(engine, FLOAT_TOLERANCES)
    assert not found.passed and "mean dE" in found.reason and "maximum 0.5" in found.reason
    assert found.cases["all"].mean_error == pytest.approx(1.8 * 0.798, rel=0.05)
    assert tolerances_for("int8") == INT8_TOLERANCES
    assert tolerances_for("fp16") == tolerances_for("bf16") == FLOAT_TOLERANCES


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_a_single_non_finite_value_fails(lost: float, reference: Reference, real: TorchEngine) -> None:
    def holed(_: NDArray[np.uint8], answer: Floats) -> Floats:
        answer[0, 3, 4, 1] = lost
        return answer

    found = reference.evaluate(Spoilt(real, holed), INT8_TOLERANCES)
    assert not found.passed and found.reason == f"{len(reference.pictures)} output values are NaN or infinite"


def test_error_in_one_case_is_not_averaged_out(built_in_set: Path) -> None:
    style = load_style("soft")
    real = TorchEngine(style, why="")
    pictures = [one for one in stills(style, most=2) if one.case in ("plain", "turned", "dark")]
    reference = Reference(style, real, pictures, [])

    def green(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        return answer + np.array((0, 2, 0), np.float32) if regions_bgr.mean() < 45 else answer

    found = reference.evaluate(Spoilt(real, green), INT8_TOLERANCES)
    assert found.cases["all"].mean_de < INT8_TOLERANCES.max_mean_de and found.cases["plain"].mean_de < 1e-9
    assert not found.passed and "dark pictures" in found.reason


def test_unstable_engine_raises_the_flicker_ratio(reference: Reference, real: TorchEngine) -> None:
    turn = 0

    def trembling(_: NDArray[np.uint8], answer: Floats) -> Floats:
        nonlocal turn
        turn += 1
        return answer + 3 * (-1) ** turn

    flicker = reference.evaluate(Spoilt(real, trembling), INT8_TOLERANCES).flicker
    assert flicker is not None and flicker > 1.1


def test_no_engine_passes_without_calibration_images(real: TorchEngine) -> None:
    found = Reference(load_style("lips-glaze"), real, [], []).evaluate(real, INT8_TOLERANCES)
    assert not found.passed and "no image for this style" in found.reason


def test_batches_of_faces_are_checked(reference: Reference, real: TorchEngine) -> None:
    given: list[int] = []

    def counted(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        given.append(len(regions_bgr))
        return answer

    found = reference.evaluate(Spoilt(real, counted), FLOAT_TOLERANCES)
    assert found.passed and found.batch is not None and found.batch.scores is not None
    assert found.batch.size == 4 and found.batch.scores.mean_de < 0.01
    assert given.count(4) == len(reference.pictures) // 20 == 1 and set(given) == {1, 4}, "one batch per 20 images"
    assert found.as_dict()["batch"]["scores"]["non_finite"] == found.non_finite == 0


def swapped(answer: Floats) -> Floats:
    return np.ascontiguousarray(answer[[1, 0, 2, 3]])


def holed(answer: Floats) -> Floats:
    answer[3, 3, 4, 1] = np.nan
    return answer


def tinted(answer: Floats) -> Floats:
    answer[2] += np.array((0, 6, 0), np.float32)  # one face in four: below the tolerance on average
    return answer


def grey(answer: Floats) -> Floats:
    return answer + np.float32(20)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (swapped, "with 4 faces per call"),
        (holed, "1 output value is NaN or infinite with 4 faces per call"),
        (tinted, "dE to one face with 4 faces per call, maximum 1.0"),
        (grey, "with 4 faces per call, m"),
    ],
)
def test_error_in_batches_only_fails(
    spoil: Callable[[Floats], Floats], says: str, reference: Reference, real: TorchEngine
) -> None:
    engine = Spoilt(real, lambda regions_bgr, answer: spoil(answer) if len(regions_bgr) > 1 else answer)
    found = reference.evaluate(engine, INT8_TOLERANCES)
    assert not found.passed and says in found.reason
    assert found.cases["all"].mean_de < 0.01, "single faces are correct"


def test_hard_images_in_a_batch_do_not_fail_it(reference: Reference, real: TorchEngine) -> None:
    drawn = {reference.pictures[index].crop_bgr.tobytes() for index in (0, 6, 13, 19)}  # the images of the batch

    def green(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        for region_bgr, one in zip(regions_bgr, answer, strict=True):
            one += np.array((0, 4, 0), np.float32) if region_bgr.tobytes() in drawn else 0
        return answer

    found = reference.evaluate(Spoilt(real, green), INT8_TOLERANCES)
    assert found.batch is not None and found.batch.scores is not None
    assert found.batch.scores.mean_de > INT8_TOLERANCES.max_mean_de > found.cases["all"].mean_de
    assert found.passed, "the images deviate as much without batching"


def test_engine_without_batch_support_fails(reference: Reference, real: TorchEngine) -> None:
    def refuse(regions_bgr: NDArray[np.uint8], answer: Floats) -> Floats:
        if len(regions_bgr) > 1:
            raise EngineError("style lips-glaze", "OpenVINO failed: out of memory")
        return answer

    found = reference.evaluate(Spoilt(real, refuse), INT8_TOLERANCES)
    assert found.reason == "with 4 faces per call OpenVINO failed: out of memory"


def test_one_image_is_enough_for_a_batch(reference: Reference, real: TorchEngine) -> None:
    style = load_style("lips-glaze")
    found = Reference(style, real, reference.pictures[:1], []).evaluate(real, FLOAT_TOLERANCES)
    assert found.passed and found.batch is not None and found.batch.size == 4
