"""Landmark drift metric on a real face."""

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


def test_identical_images_have_no_drift(meter: DriftMeter, face_rgb: ImageU8) -> None:
    found = meter.measure(face_rgb, face_rgb)
    assert isinstance(found, Drift)
    assert found.percent == 0.0
    assert set(found.parts_percent) == {"right eye", "left eye", "brows", "lips", "nose", "oval"}
    assert 0 < found.noise_percent < 1


def test_drift_equals_the_shift_of_the_face(meter: DriftMeter, face_rgb: ImageU8) -> None:
    found = [meter.measure(face_rgb, moved(face_rgb, by_px)) for by_px in (2.0, 4.0)]
    percent = [drift.percent for drift in found if isinstance(drift, Drift)]
    eye_distance_px = 2.0 / percent[0] * 100
    assert 33 < eye_distance_px < 43, "the eye distance in this crop is about 38 pixels"
    assert percent[1] == pytest.approx(2 * percent[0], rel=0.25)


def test_lowered_mouth_drifts_most_at_the_lips(meter: DriftMeter, face_rgb: ImageU8) -> None:
    rows, columns = np.mgrid[:256, :256].astype(np.float32)
    bump = 5 * np.exp(-(((rows - 125) / 16) ** 2) - ((columns - 128) / 30) ** 2)
    lower = np.asarray(cv2.remap(face_rgb, columns, rows - bump, cv2.INTER_LINEAR), np.uint8)
    found = meter.measure(face_rgb, lower)
    assert isinstance(found, Drift)
    assert found.parts_percent["lips"] > 2 * found.parts_percent["brows"]
    assert found.parts_percent["lips"] > found.percent


def test_missing_face_is_reported(meter: DriftMeter, face_rgb: ImageU8) -> None:
    blank = np.full_like(face_rgb, 128)
    assert meter.measure(face_rgb, blank) == "output"
    assert meter.measure(blank, face_rgb) == "input"
