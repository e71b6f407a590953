"""Who is a person, on the NASA portrait."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from head_parts import portrait_face

from live.tracking.person import PersonSegmenter


@pytest.mark.parametrize("shape_hw", [(512, 512), (720, 1280), (900, 600)])
def test_the_face_is_a_person_and_the_wall_is_none(shape_hw: tuple[int, int]) -> None:
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
