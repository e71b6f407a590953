"""Line metrics: detection, and scores of missing, added, displaced and blurred lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.evaluation.line_scores import line_map, line_scores

ImageU8 = NDArray[np.uint8]
ARCS = ((60, 60), (190, 70), (80, 190), (185, 190))  # centres of circles that do not overlap


def drawing(*middles: tuple[int, int], off_px: int = 0, level: int = 30) -> ImageU8:
    """Circles with a dark outline of two pixels on two flat areas, (256, 256, 3)."""
    picture = np.full((256, 256, 3), 200, np.uint8)
    picture[:, 128:] = (150, 170, 190)
    for x, y in middles:
        cv2.circle(picture, (x + off_px, y), 30, (level,) * 3, 2, cv2.LINE_AA)
    return picture


def test_lines_are_detected_but_not_edges_or_areas() -> None:
    picture = drawing((60, 60))
    cv2.rectangle(picture, (150, 150), (220, 220), (20, 20, 20), -1)
    found = line_map(picture)
    y, x = np.nonzero(found)
    assert len(x) > 100
    assert np.abs(np.hypot(x - 60, y - 60) - 30).max() < 2


def test_identical_images_score_one() -> None:
    scores = line_scores(drawing(*ARCS), drawing(*ARCS))
    assert (scores.precision, scores.recall, scores.crispness) == (1.0, 1.0, 1.0)


def test_missing_lines_lower_recall_added_lines_precision() -> None:
    few, every = drawing(*ARCS[:2]), drawing(*ARCS)
    missing, added = line_scores(few, every), line_scores(every, few)
    assert missing.precision == 1.0
    assert missing.recall == pytest.approx(0.5, abs=0.03)
    assert missing.crispness is not None
    assert missing.crispness == pytest.approx(0.5, abs=0.05)
    assert added.recall == 1.0
    assert added.precision == pytest.approx(0.5, abs=0.03)


def test_lines_match_within_the_pixel_tolerance() -> None:
    near, far = (line_scores(drawing(*ARCS, off_px=off), drawing(*ARCS)) for off in (1, 4))
    assert near.precision == near.recall == 1.0
    assert far.precision is not None
    assert far.recall is not None
    assert max(far.precision, far.recall) < 0.4


@pytest.mark.parametrize("sigma_px", [0.8, 1.2])
def test_blur_lowers_crispness_before_recall(sigma_px: float) -> None:
    wanted = drawing(*ARCS)
    scores = line_scores(np.asarray(cv2.GaussianBlur(wanted, (0, 0), sigma_px), np.uint8), wanted)
    assert scores.recall is not None
    assert scores.recall > 0.97
    assert scores.crispness is not None
    assert scores.crispness < 0.85


def test_images_without_lines_have_no_line_scores() -> None:
    blank, lined = drawing(), drawing(*ARCS)
    missed, invented = line_scores(blank, lined), line_scores(lined, blank)
    assert (missed.precision, missed.recall) == (None, 0.0)
    assert (invented.precision, invented.recall, invented.crispness) == (0.0, None, None)


def test_lines_of_a_real_face_are_robust_to_noise(portrait_bgr: ImageU8) -> None:
    face = np.asarray(cv2.resize(portrait_bgr[20:276, 96:352, ::-1], (256, 256)), np.uint8)
    noisy = np.clip(face + np.random.default_rng(1).normal(0, 2, face.shape), 0, 255).astype(np.uint8)
    scores = line_scores(noisy, face)
    assert scores.precision is not None
    assert scores.recall is not None
    assert min(scores.precision, scores.recall) > 0.85
