"""Flicker metric on synthetic styles, still clips and moving clips."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.evaluation.flicker import moving_flicker, still_flicker

ImageU8 = NDArray[np.uint8]
SIDE = 128
GRID = (24 * ((np.indices((SIDE, SIDE)).sum(0) // 2) % 2))[:, :, None]  # fixed to the pixel grid


def untouched(region_rgb: ImageU8) -> ImageU8:
    return region_rgb


def halved(region_rgb: ImageU8) -> ImageU8:
    return (region_rgb.astype(np.float32) / 2 + 60.25).astype(np.uint8)


def stepped(region_rgb: ImageU8) -> ImageU8:
    return region_rgb // np.uint8(32) * np.uint8(32)


def behind_a_grid(region_rgb: ImageU8) -> ImageU8:
    return np.clip(region_rgb.astype(np.int16) + GRID, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photo_rgb(portrait_bgr: ImageU8) -> ImageU8:
    return np.ascontiguousarray(portrait_bgr[20:276, 96:352, ::-1])


def still_ratio(photo_rgb: ImageU8, apply_rgb: object, *, jitter: bool) -> float:
    found = still_flicker(photo_rgb, (SIDE, SIDE), apply_rgb, jitter=jitter)  # type: ignore[arg-type]
    assert found.ratio is not None
    assert found.pairs == 23
    return found.ratio


@pytest.mark.parametrize("jitter", [False, True])
def test_unmodified_output_has_flicker_ratio_one(photo_rgb: ImageU8, jitter: bool) -> None:
    assert still_ratio(photo_rgb, untouched, jitter=jitter) == 1.0


def test_still_clip_has_the_documented_noise(photo_rgb: ImageU8) -> None:
    levels = still_flicker(photo_rgb, (SIDE, SIDE), untouched, jitter=False).input_levels
    assert levels == pytest.approx(2 * 2 / np.sqrt(np.pi), rel=0.05), (
        "mean difference of two normal values with sigma 2"
    )


def test_half_the_contrast_halves_flicker(photo_rgb: ImageU8) -> None:
    assert still_ratio(photo_rgb, halved, jitter=False) == pytest.approx(0.5, abs=0.05)


def test_quantised_output_raises_rms_flicker(photo_rgb: ImageU8) -> None:
    found = still_flicker(photo_rgb, (SIDE, SIDE), stepped, jitter=False)
    assert found.rms_ratio is not None
    assert found.rms_ratio > 1.8
    assert still_flicker(photo_rgb, (SIDE, SIDE), untouched, jitter=False).rms_ratio == 1.0


def test_grid_pattern_flickers_only_with_jitter(photo_rgb: ImageU8) -> None:
    assert still_ratio(photo_rgb, behind_a_grid, jitter=False) < 1.05
    assert still_ratio(photo_rgb, behind_a_grid, jitter=True) > 2


def clip(photo_rgb: ImageU8, frames: int = 10) -> Iterator[ImageU8]:
    """The face moving three pixels per frame and rotating, with noise."""
    random = np.random.default_rng(0)
    for number in range(frames):
        matrix = cv2.getRotationMatrix2D((128, 128), 1.5 * number, 0.8)
        matrix[:, 2] += (3 * number - 64 - 14, -64)
        view = cv2.warpAffine(photo_rgb, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
        yield np.clip(view + random.normal(0, 1.5, view.shape), 0, 255).astype(np.uint8)


def moving_ratio(photo_rgb: ImageU8, apply_rgb: object) -> float:
    found = moving_flicker(clip(photo_rgb), apply_rgb)  # type: ignore[arg-type]
    assert found.pairs == 9
    assert found.ratio is not None
    return found.ratio


def test_motion_is_compensated(photo_rgb: ImageU8) -> None:
    frames = list(clip(photo_rgb))
    raw = np.mean([np.abs(b.astype(np.float32) - a).mean() for a, b in itertools.pairwise(frames)])
    found = moving_flicker(frames, untouched)
    assert found.ratio == 1.0
    assert found.input_levels < raw / 3


def test_moving_flicker_ranks_calm_below_unstable_output(photo_rgb: ImageU8) -> None:
    assert moving_ratio(photo_rgb, halved) == pytest.approx(0.5, abs=0.05)
    assert moving_ratio(photo_rgb, stepped) > 1.2
    assert moving_ratio(photo_rgb, behind_a_grid) > 1.5


def test_changing_brightness_raises_flicker(photo_rgb: ImageU8) -> None:
    lit = iter([0, 12] * 5)

    def lamp(region_rgb: ImageU8) -> ImageU8:
        return np.clip(region_rgb.astype(np.int16) + next(lit), 0, 255).astype(np.uint8)

    assert moving_ratio(photo_rgb, lamp) > 3


def test_faceless_frames_and_cuts_are_not_compared(photo_rgb: ImageU8) -> None:
    frames: list[ImageU8 | None] = list(clip(photo_rgb, 6))
    frames[2] = None
    assert moving_flicker(frames, untouched).pairs == 3
    other = np.random.default_rng(3).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    assert moving_flicker([*clip(photo_rgb, 2), other, other], untouched).pairs == 2
    assert moving_flicker([None, frames[0]], untouched).ratio is None
