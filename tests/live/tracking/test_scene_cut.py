"""Frames that show something else than the one before."""

from __future__ import annotations

import cv2
import numpy as np

from live.portrait import portrait_bgr
from live.tracking.scene_cut import SceneCut


def test_only_first_frames_cuts_and_new_sizes_are_cuts() -> None:
    portrait = portrait_bgr()
    moved = np.roll(portrait, 6, axis=1)
    other = np.ascontiguousarray(portrait[::-1])
    cut = SceneCut()
    assert [cut.seen(frame) for frame in (portrait, moved, portrait, other, other)] == [True, False, False, True, False]
    smaller = np.asarray(cv2.resize(other, (400, 300)), np.uint8)
    assert [cut.seen(smaller), cut.seen(smaller)] == [True, False]
