"""Landmark drift on a real face."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.evaluation.landmark_drift import Drift, DriftMeter

ImageU8 = NDArray[np.uint8]


@pytest.fixture(scope="module")
def meter() -> Iterator[DriftMeter]:
    made = DriftMeter()
    yield made
    made.close()


@pytest.fixture(scope="module")
def face_rgb(portrait_bgr: ImageU8) -> ImageU8:
    return np.asarray(cv2.resize(portrait_bgr[0:300, 74:374, ::-1], (256, 256), interpolation=cv2.INTER_AREA), np.uint8)


def moved(picture: ImageU8, by_px: float) -> ImageU8:
    matrix = np.array([[1, 0, by_px], [0, 1, 0]])
    size_wh = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def test_the_same_picture_does_not_drift_and_noise_is_small(meter: DriftMeter, face_rgb: ImageU8) -> None:
    found = meter.measure(face_rgb, face_rgb)
    assert isinstance(found, Drift)
    assert found.percent == 0.0
    assert set(found.parts_percent) == {"right eye", "left eye", "brows", "lips", "nose", "oval"}
    assert 0 < found.noise_percent < 1


def test_a_moved_face_drifts_by_as_much(meter: DriftMeter, face_rgb: ImageU8) -> None:
    found = [meter.measure(face_rgb, moved(face_rgb, by_px)) for by_px in (2.0, 4.0)]
    percent = [drift.percent for drift in found if isinstance(drift, Drift)]
    eye_distance_px = 2.0 / percent[0] * 100
    assert 33 < eye_distance_px < 43, "the eyes on this crop are about 38 pixels apart"
    assert percent[1] == pytest.approx(2 * percent[0], rel=0.25)


def test_a_mouth_drawn_lower_drifts_at_the_lips_most(meter: DriftMeter, face_rgb: ImageU8) -> None:
    rows, columns = np.mgrid[:256, :256].astype(np.float32)
    bump = 5 * np.exp(-(((rows - 125) / 16) ** 2) - ((columns - 128) / 30) ** 2)
    lower = np.asarray(cv2.remap(face_rgb, columns, rows - bump, cv2.INTER_LINEAR), np.uint8)
    found = meter.measure(face_rgb, lower)
    assert isinstance(found, Drift)
    assert found.parts_percent["lips"] > 2 * found.parts_percent["brows"]
    assert found.parts_percent["lips"] > found.percent


def test_a_face_that_is_gone_is_said_to_be(meter: DriftMeter, face_rgb: ImageU8) -> None:
    blank = np.full_like(face_rgb, 128)
    assert meter.measure(face_rgb, blank) == "output"
    assert meter.measure(blank, face_rgb) == "input"
