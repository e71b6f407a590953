"""Upright regions: crops are pasted back to their place, and jitter does not move a region."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.head_parts import portrait_face

from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import PictureRegion, face_box, frame_box, in_frame


@pytest.mark.parametrize(
    ("box", "size_wh"),
    [((100, 40, 356, 296), (256, 256)), ((-60, -30, 420, 450), (256, 256)), ((300, 200, 1100, 1000), (256, 256))],
)
def test_a_crop_is_pasted_back_to_its_place(box: tuple[int, int, int, int], size_wh: tuple[int, int]) -> None:
    x, y = np.meshgrid(np.arange(640), np.arange(480))
    smooth = np.dstack([x * 255 / 640, y * 255 / 480, (x + y) * 255 / 1120]).astype(np.uint8)
    region = PictureRegion(box, size_wh, (640, 480))
    again = region.uncrop(region.crop(smooth))
    off = np.abs(again[4:-4, 4:-4].astype(int) - region.cut(smooth)[4:-4, 4:-4])
    assert again.shape == region.cut(smooth).shape
    assert off.max() <= 3


def test_landmarks_map_to_the_same_place_in_the_crop() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(frame, (300, 210), 6, (255, 255, 255), -1)
    region = PictureRegion((160, 90, 460, 390), (256, 256), (640, 480))
    spot = region.landmarks(np.array([[300.5, 210.5]], np.float32))[0]  # counted from the corners
    rows, columns = np.nonzero(region.crop(frame)[:, :, 0] > 128)
    assert abs(columns.mean() + 0.5 - spot[0]) < 0.3 and abs(rows.mean() + 0.5 - spot[1]) < 0.3


def test_head_box_contains_hair_chin_and_the_face_box() -> None:
    _, face = portrait_face()
    head, close = face_box(face.landmarks_xy, "head"), face_box(face.landmarks_xy, "face")
    assert head is not None and close is not None
    chin_y, brow_y = face.landmarks_xy[152, 1], face.landmarks_xy[10, 1]
    assert head[1] < brow_y - 0.3 * (chin_y - brow_y) and head[3] > chin_y
    assert head[0] < close[0] and head[1] < close[1] and head[2] > close[2] and head[3] > close[3]
    assert head[2] - head[0] == head[3] - head[1]


def test_face_box_ignores_jitter_and_follows_movement() -> None:
    _, face = portrait_face()
    memory, trembling = TemporalFilter(), np.random.default_rng(1)
    boxes = {
        face_box(
            face.landmarks_xy + trembling.normal(0, 0.4, 2).astype(np.float32),
            "head",
            temporal_filter=memory,
            at_s=i / 30,
        )
        for i in range(40)
    }
    assert len(boxes) == 1
    (rest,) = boxes
    moved = face_box(face.landmarks_xy + np.float32([60, 0]), "head", temporal_filter=memory, at_s=1.4)
    assert rest is not None and moved is not None
    assert 40 < moved[0] - rest[0] <= 60


def test_a_tiny_or_non_finite_face_has_no_box() -> None:
    _, face = portrait_face()
    assert face_box(face.landmarks_xy * 0.02, "head") is None
    assert face_box(np.full_like(face.landmarks_xy, np.nan), "face") is None


@pytest.mark.parametrize("frame_wh", [(1280, 720), (640, 480), (720, 1280), (1920, 1080), (2, 2)])
def test_frame_box_contains_the_frame_in_the_crops_shape(frame_wh: tuple[int, int]) -> None:
    left, top, right, bottom = frame_box(frame_wh, (448, 256))
    assert left <= 0 and top <= 0 and right >= frame_wh[0] and bottom >= frame_wh[1]
    assert abs((right - left) / (bottom - top) - 448 / 256) < 0.02 or min(frame_wh) < 10
    assert in_frame((left, top, right, bottom), frame_wh) == (min(frame_wh) >= 4)


@pytest.mark.parametrize("width", [600, 1280, 2000, 3840, 7680])
def test_a_large_frame_is_averaged_not_skipped(width: int) -> None:
    tile = np.clip(np.random.default_rng(0).normal(128, 20, (270, 480, 3)), 0, 255).astype(np.uint8)
    noise = np.tile(tile, (16, 16, 1))[: width * 9 // 16, :width]
    frame_wh = width, width * 9 // 16
    crop = PictureRegion(frame_box(frame_wh, (448, 256)), (448, 256), frame_wh).crop(noise)
    inner = crop[8:-8, 8:-8].astype(float)
    assert inner.std() < 26 * 448 / width + 2
