"""Faces of a face swap's batches: rare expressions, and mouths of other shapes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.training.data.person_faces import MARGIN, SwapBatches, SwapFaces, expression_chances
from engines.training.data.picture_pairs import ImageU8

SIDE = 128
KEPT = SIDE + 2 * round(MARGIN * SIDE)
EQUAL = np.ones((8, 2), np.float32)  # openings


def faces(openings_px: list[int]) -> ImageU8:
    """Return grey faces whose weight and lines show two eyes and a mouth that is open by so many pixels."""
    made = np.full((len(openings_px), KEPT, KEPT, 5), 128, np.uint8)
    for face, opening_px in zip(made, openings_px, strict=True):
        weight, lines = np.full((KEPT, KEPT), 128, np.uint8), np.zeros((KEPT, KEPT), np.uint8)
        for x, y, axes_px in ((0.33, 0.35, (10, 6)), (0.67, 0.35, (10, 6)), (0.5, 0.68, (20, opening_px))):
            centre_xy = round((MARGIN + x) * SIDE), round((MARGIN + y) * SIDE)
            cv2.ellipse(weight, centre_xy, axes_px, 0, 0, 360, (255,), -1)
            cv2.ellipse(lines, centre_xy, axes_px, 0, 0, 360, (255,), 2)
        face[:, :, 3], face[:, :, 4] = weight, lines
    return made


@pytest.mark.parametrize("rare", ["eyes", "mouth"])
def test_rare_expressions_are_trained_more_often(rare: str) -> None:
    openings = np.tile(np.float32([100, 20]), (100, 1))
    openings[-5:] = (10, 20) if rare == "eyes" else (100, 300)
    chances = expression_chances(openings)
    assert chances.sum() == pytest.approx(1)
    assert 0.1 < chances[-5:].sum() < 0.5
    assert np.ptp(chances[:95]) < 1e-9


def test_one_damaged_face_does_not_hide_rare_expressions() -> None:
    openings = np.tile(np.float32([100, 20]), (400, 1))
    openings[-20:, 1], openings[0, 1] = 300, 1e6
    chances = expression_chances(openings)
    assert chances[-20:].sum() > 0.1
    assert chances[0] < 11 / 400


def test_equal_faces_are_trained_equally_often() -> None:
    assert np.ptp(expression_chances(np.full((20, 2), 50, np.float32))) < 1e-9


def test_mouths_become_wider_higher_and_bent() -> None:
    """The eyes keep their shape, so that the person stays the same."""
    own = faces([8] * 8)
    data = SwapFaces(own, own, SIDE, "", ("A", "B"), (EQUAL, EQUAL))
    weight = SwapBatches(faces=data, batch=60, webcam=0.0, seed=1, rank=0)[0].weight > 192
    shapes: dict[str, list[float]] = {"mouth": [], "eyes": []}
    for one in weight:
        for name, part in (("mouth", one[SIDE // 2 :]), ("eyes", one[: SIDE // 2, : SIDE // 2])):
            points = cv2.findNonZero(part.astype(np.uint8))
            (_, _), (width, height), _ = cv2.minAreaRect(points)
            shapes[name].append(max(width, height) / max(1.0, min(width, height)))
    spread = {name: float(np.std(ratios) / np.mean(ratios)) for name, ratios in shapes.items()}
    assert spread["mouth"] > 0.15
    assert spread["eyes"] < 0.7 * spread["mouth"]


def test_lines_are_where_the_unwarped_face_has_eyes_and_mouth() -> None:
    own = faces([10] * 8)
    batch = SwapBatches(
        faces=SwapFaces(own, own, SIDE, "", ("A", "B"), (EQUAL, EQUAL)), batch=10, webcam=0.0, seed=1, rank=0
    )[0]
    for input_rgb, weight in zip(batch.input_rgb, batch.weight, strict=True):
        features = np.asarray(weight > 192, np.uint8)
        border = cv2.morphologyEx(features, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
        lines = (input_rgb[:, :, 1] > 180) & (input_rgb[:, :, 0] < 90)
        assert lines.sum() > 100
        assert border[lines].mean() > 0.95
