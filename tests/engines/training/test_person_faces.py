"""Faces of a face swap's batches: rare expressions, and mouths of other shapes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.training.data.person_faces import MARGIN, SwapBatches, SwapFaces, expression_chances
from engines.training.data.picture_pairs import ImageU8

SIDE = 128
KEPT = SIDE + 2 * round(MARGIN * SIDE)


def faces(openings_px: list[int], eyes_px: int = 6) -> ImageU8:
    """Return grey faces whose weight and lines show two eyes and a mouth that is open by so many pixels."""
    made = np.full((len(openings_px), KEPT, KEPT, 5), 128, np.uint8)
    for face, opening_px in zip(made, openings_px, strict=True):
        weight, lines = np.full((KEPT, KEPT), 128, np.uint8), np.zeros((KEPT, KEPT), np.uint8)
        for x, y, axes_px in ((0.33, 0.35, (10, eyes_px)), (0.67, 0.35, (10, eyes_px)), (0.5, 0.68, (20, opening_px))):
            centre_xy = round((MARGIN + x) * SIDE), round((MARGIN + y) * SIDE)
            cv2.ellipse(weight, centre_xy, axes_px, 0, 0, 360, (255,), -1)
            cv2.ellipse(lines, centre_xy, axes_px, 0, 0, 360, (255,), 2)
        face[:, :, 3], face[:, :, 4] = weight, lines
    return made


@pytest.mark.parametrize("rare", ["mouth", "eyes"])
def test_rare_expressions_are_trained_more_often(rare: str) -> None:
    usual = faces([6] * 95)
    chances = expression_chances(np.concatenate([usual, faces([18] * 5) if rare == "mouth" else faces([6] * 5, 2)]))
    assert chances.sum() == pytest.approx(1)
    assert 0.1 < chances[-5:].sum() < 0.5
    assert np.ptp(chances[:95]) < 1e-9


def test_equal_faces_are_trained_equally_often() -> None:
    assert np.ptp(expression_chances(faces([6] * 20))) < 1e-9


def test_mouths_become_wider_higher_and_bent() -> None:
    """The eyes keep their shape, so that the person stays the same."""
    own = faces([8] * 8)
    data = SwapFaces(own, own, SIDE, "", ("A", "B"))
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
    batch = SwapBatches(faces=SwapFaces(own, own, SIDE, "", ("A", "B")), batch=10, webcam=0.0, seed=1, rank=0)[0]
    for input_rgb, weight in zip(batch.input_rgb, batch.weight, strict=True):
        features = np.asarray(weight > 192, np.uint8)
        border = cv2.morphologyEx(features, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
        lines = (input_rgb[:, :, 1] > 180) & (input_rgb[:, :, 0] < 90)
        assert lines.sum() > 100
        assert border[lines].mean() > 0.95
