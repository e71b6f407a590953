"""Masks of picture regions."""

from __future__ import annotations

import numpy as np
import pytest
from support.head_parts import portrait_face, portrait_person

from engines.regions.masks import region_mask
from engines.regions.upright import FACE_OVAL, PictureRegion, face_box, frame_box


def _head(kind: str = "head") -> PictureRegion:
    frame_bgr, face = portrait_face()
    box = face_box(face.landmarks_xy, kind)
    assert box is not None
    return PictureRegion(box, (256, 256), (frame_bgr.shape[1], frame_bgr.shape[0]))


def _at(mask: np.ndarray, region: PictureRegion, xy: np.ndarray) -> np.ndarray:
    left, top, right, bottom = region.inner
    x, y = (xy - (left, top)).astype(int).T
    return mask[np.clip(y, 0, bottom - top - 1), np.clip(x, 0, right - left - 1)]


@pytest.mark.parametrize("kind", ["head", "person"])
def test_a_face_is_painted_where_no_person_is_segmented(kind: str) -> None:
    frame_bgr, face = portrait_face()
    wh = frame_bgr.shape[1], frame_bgr.shape[0]
    region = _head() if kind == "head" else PictureRegion(frame_box(wh, (448, 256)), (448, 256), wh)
    mask = region_mask(region, kind, [face.landmarks_xy], np.zeros((256, 256), np.uint8))
    assert mask is not None
    middle = face.landmarks_xy[FACE_OVAL].mean(0)
    inside = middle + 0.93 * (face.landmarks_xy[FACE_OVAL] - middle)
    assert _at(mask, region, inside).min() > 200


def test_the_person_is_painted_and_the_wall_is_not() -> None:
    _, face = portrait_face()
    region = _head()
    mask = region_mask(region, "head", [face.landmarks_xy], portrait_person())
    assert mask is not None
    hair = face.landmarks_xy[10] - (0, 0.12 * (face.landmarks_xy[152, 1] - face.landmarks_xy[10, 1]))
    assert _at(mask, region, np.array([hair]))[0] > 200
    left, top, right, _ = region.inner
    wall = np.array([[left + 0.12 * (right - left), top + 0.15 * (right - left)]])
    assert _at(mask, region, wall)[0] < 20


def test_a_head_mask_fades_out_at_the_border() -> None:
    _, face = portrait_face()
    region = _head()
    mask = region_mask(region, "head", [face.landmarks_xy], None)
    assert mask is not None
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) <= 2
    steps = np.abs(np.diff(mask[:, mask.shape[1] // 2].astype(int)))
    assert steps.max() < 40


def test_the_mask_lies_where_the_person_is() -> None:
    person = np.zeros((144, 256), np.uint8)
    person[36:108, 64:192] = 255
    region = PictureRegion((0, 0, 1280, 720), (448, 256), (1280, 720))
    mask = region_mask(region, "person", [], person)
    assert mask is not None and mask.shape == (720, 1280)
    assert mask[200:520, 340:940].min() > 250
    assert mask[:, :300].max() == 0 and mask[:165].max() == 0 and mask[:, 980:].max() == 0


def test_frame_and_unsegmented_person_have_no_mask() -> None:
    region = PictureRegion((0, 0, 640, 366), (448, 256), (640, 360))
    assert region_mask(region, "frame", [], np.zeros((144, 256), np.uint8)) is None
    assert region_mask(region, "person", [], None) is None


def test_a_face_mask_stays_on_the_face() -> None:
    _, face = portrait_face()
    region = _head("face")
    mask = region_mask(region, "face", [face.landmarks_xy], None)
    assert mask is not None
    middle = face.landmarks_xy[FACE_OVAL].mean(0)
    assert _at(mask, region, np.array([middle]))[0] == 255
    assert mask[0].max() == 0 and mask[-1].max() == 0
