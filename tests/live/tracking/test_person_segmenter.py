"""PersonSegmenter on the built-in portrait."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.head_parts import portrait_face

from live.tracking.person_segmenter import PersonSegmenter


@pytest.mark.parametrize("shape_hw", [(512, 512), (720, 1280), (900, 600)])
def test_mask_contains_the_face_and_not_the_wall(shape_hw: tuple[int, int]) -> None:
    portrait, face = portrait_face()
    wall = portrait[20, 20].tolist()
    height, width = shape_hw
    scale = min(height, width) / 512
    frame_bgr = np.full((height, width, 3), wall, np.uint8)
    left, top = (width - int(512 * scale)) // 2, height - int(512 * scale)
    frame_bgr[top:, left : left + int(512 * scale)] = cv2.resize(portrait, None, fx=scale, fy=scale)[: height - top]
    with PersonSegmenter() as segmenter:
        mask = segmenter.mask(frame_bgr)
    at = face.landmarks_xy[[1, 50, 280, 10, 152]] * scale + (left, top)
    columns, rows = (at * (mask.shape[1] / width, mask.shape[0] / height)).astype(int).T
    assert mask[rows, columns].min() > 180
    assert mask[:4, :4].max() < 60


def test_outline_ignores_noise_and_follows_motion() -> None:
    portrait, _ = portrait_face()
    rng = np.random.default_rng(0)

    def noisy() -> np.ndarray:
        return np.clip(portrait + rng.normal(0, 6, portrait.shape), 0, 255).astype(np.uint8)

    jitter = {}
    for still in (True, False):
        with PersonSegmenter(still=still) as segmenter:
            masks = np.stack([segmenter.mask(noisy()).astype(int) for _ in range(12)])[4:]
            jitter[still] = float(np.abs(np.diff(masks, axis=0)).mean())
            moved = segmenter.mask(np.roll(portrait, 160, axis=1))
        if still:
            fresh = moved
        else:
            assert np.abs(moved.astype(int) - fresh).mean() < 6
    assert jitter[False] < 0.6 * jitter[True]
