"""Masks of the parts of a face: position, exclusions and stability."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import BROWN, DARK, PALE, photo_region, portrait_parts, portrait_region

from engines.training.teachers.face_parts import Parts, find_parts

_MASKS = [field.name for field in fields(Parts) if field.name not in ("skin_lab", "face_px")]


def _at(mask: NDArray[np.float32], *landmarks: int) -> float:
    """The value of a mask at the mean of some landmarks of the portrait's head region."""
    x, y = portrait_region("head").landmarks_xy[list(landmarks)].mean(0)
    return float(mask[int(y), int(x)])


@pytest.mark.parametrize("kind", ["face", "head", "frame"])
def test_masks_have_the_size_of_the_region_and_are_0_to_1(kind: str) -> None:
    parts = portrait_parts(kind)
    for name in _MASKS:
        mask = getattr(parts, name)
        assert mask.shape == portrait_region(kind).rgb.shape[:2], name
        assert mask.dtype == np.float32, name
        assert mask.min() >= 0, name
        assert mask.max() <= 1, name
        assert mask.max() > 0.3, f"{name} is nowhere"


def test_parts_lie_at_their_landmarks() -> None:
    parts = portrait_parts("head")
    assert min(_at(parts.eyes, 468), _at(parts.eyes, 473)) > 0.8
    assert min(_at(parts.irises, 468), _at(parts.irises, 473)) > 0.8
    assert min(_at(parts.brows, 105, 52), _at(parts.brows, 334, 282)) > 0.7
    assert _at(parts.mouth_opening, 13, 14) > 0.8, "the portrait smiles"
    assert _at(parts.lips, 14, 17) > 0.6
    assert _at(parts.nose, 4) > 0.9
    assert _at(parts.jaw, 152) > 0.6
    assert min(_at(parts.face, index) for index in (4, 50, 280, 151)) > 0.95


def test_skin_is_cheeks_and_forehead_without_features() -> None:
    parts = portrait_parts("head")
    assert min(_at(parts.skin, index) for index in (50, 280, 205, 425, 151)) > 0.9
    for name in ("eyes", "brows", "mouth_opening"):
        mask = getattr(parts, name)
        assert float((parts.skin * mask).sum() / mask.sum()) < 0.3, name


def test_a_reddened_cheek_is_skin() -> None:
    region = portrait_region("head")
    cheek = np.rint(region.landmarks_xy[50]).astype(int).tolist()
    spot = np.zeros(region.rgb.shape[:2], np.uint8)
    cv2.circle(spot, cheek, round(0.06 * portrait_parts("head").face_px), (255,), -1)
    soft = cv2.GaussianBlur(spot, (0, 0), 2)[..., None] / 255
    reddened = np.rint(region.rgb * (1 - soft + soft * np.array([0.78, 0.5, 0.48]))).astype(np.uint8)
    assert _at(find_parts(replace(region, rgb=reddened)).skin, 50) > 0.5


def test_rims_of_glasses_are_no_skin() -> None:
    region, face_px = portrait_region("head"), portrait_parts("head").face_px
    with_glasses, below_eyes = region.rgb.copy(), np.zeros(region.rgb.shape[:2], np.uint8)
    for iris in np.rint(region.landmarks_xy[[468, 473]]).astype(int).tolist():
        cv2.circle(with_glasses, iris, round(0.2 * face_px), (40, 36, 34), max(2, round(0.03 * face_px)), cv2.LINE_AA)
        cv2.ellipse(below_eyes, iris, (round(0.2 * face_px),) * 2, 0, 20, 160, (255,), 1)
    assert portrait_parts("head").skin[below_eyes > 0].mean() > 0.9
    assert find_parts(replace(region, rgb=with_glasses)).skin[below_eyes > 0].mean() < 0.5


def test_hair_is_above_the_forehead_only() -> None:
    parts = portrait_parts("head")
    top_x, top_y = portrait_region("head").landmarks_xy[10]
    assert parts.hair[int(top_y - 0.25 * parts.face_px), int(top_x)] > 0.6
    assert max(_at(parts.hair, index) for index in (4, 50, 280, 199)) < 0.1
    assert parts.hair[5:40, 5:40].max() < 0.1
    assert parts.person[5:40, 5:40].max() < 0.1


def test_noise_hardly_changes_the_masks() -> None:
    region = portrait_region("head")
    rng = np.random.default_rng(0)
    noisy = np.clip(region.rgb + rng.normal(0, 3, region.rgb.shape), 0, 255).astype(np.uint8)
    moved = region.landmarks_xy + rng.normal(0, 0.4, (478, 2)).astype(np.float32)
    parts = find_parts(replace(region, rgb=noisy, landmarks_xy=moved))
    for name in _MASKS:
        change = np.abs(getattr(parts, name) - getattr(portrait_parts("head"), name))
        assert change.max() < 0.35, name
        assert change.mean() < 0.005, name


def test_landmarks_outside_the_picture_are_harmless() -> None:
    region = portrait_region("head")
    parts = find_parts(replace(region, landmarks_xy=region.landmarks_xy + np.float32(400)))
    assert all(np.isfinite(getattr(parts, name)).all() for name in _MASKS)


@pytest.mark.data
def test_the_skin_colour_is_that_of_the_person(data_dir: Path) -> None:
    dark, pale = (find_parts(photo_region(data_dir / name, "head")) for name in (DARK, PALE))
    assert dark.skin_lab[0] < 50 < 60 < pale.skin_lab[0]
    assert min(dark.skin.sum() / dark.face.sum(), pale.skin.sum() / pale.face.sum()) > 0.6


@pytest.mark.data
@pytest.mark.parametrize("photo", [PALE, BROWN])
def test_the_neck_is_skin(data_dir: Path, photo: str) -> None:
    """If it is lit: a neck in deep shade cannot be distinguished from hair."""
    region = photo_region(data_dir / photo, "head")
    parts = find_parts(region)
    x, y = region.landmarks_xy[152]
    below = parts.skin[int(y + 0.1 * parts.face_px) : int(y + 0.3 * parts.face_px), int(x) - 8 : int(x) + 8]
    assert np.median(below) > 0.5
