"""Lip looks on real faces: the lips change, everything else stays, and the paint is stable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from engines.looks_file import load_looks
from engines.regions.lips_region import INNER_LIPS, OUTER_LIPS, lips_region
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.render.painter import Painter
from live.tracking.face_mesh import FaceMeshTracker

LOOKS = ["glaze", "bright", "matte-red", "nude-satin", "berry-gloss"]


@pytest.fixture(scope="module")
def look_loader() -> Iterator[LookLoader]:
    made = LookLoader(load_looks(), runtime="auto", say=print)
    yield made
    made.close()


def painted(
    look_loader: LookLoader,
    picture: ImageU8,
    faces: tuple[Face, ...],
    look: str,
    *,
    painter: Painter | None = None,
    at_s: float = 0.0,
) -> ImageU8:
    painted_bgr = picture.copy()
    (painter or Painter()).paint(painted_bgr, faces, look_loader.load(look), 1.0, at_s=at_s)
    return painted_bgr


def delta_e(before: ImageU8, after: ImageU8) -> NDArray[np.float64]:
    """Return CIEDE2000 (Sharma 2005) for each pixel; equal pixels are skipped."""
    off, changed = np.zeros(before.shape[:2]), (before != after).any(2)
    labs = [rgb2lab(picture[changed][:, ::-1]) for picture in (before, after)]
    off[changed] = deltaE_ciede2000(*labs)
    return off


def areas(face: Face, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of the lips and of the mouth's opening, from the landmarks alone."""
    outer, inner = (np.zeros(shape[:2], np.uint8) for _ in range(2))
    cv2.fillPoly(outer, [np.round(face.landmarks_xy[OUTER_LIPS]).astype(np.int32)], (1,))
    cv2.fillPoly(inner, [np.round(face.landmarks_xy[INNER_LIPS]).astype(np.int32)], (1,))
    return (outer & ~inner & 1).astype(bool), inner.astype(bool)


@pytest.mark.parametrize("look", LOOKS)
def test_only_the_lips_change(look_loader: LookLoader, portrait_bgr: ImageU8, look: str) -> None:
    large: ImageU8 = np.asarray(cv2.resize(portrait_bgr[40:240, 120:340], None, fx=4, fy=4), np.uint8)
    faces = find_faces(large)
    painted_bgr = painted(look_loader, large, faces, look)
    off = delta_e(large, painted_bgr)
    lips, opening = areas(faces[0], large.shape)
    region = lips_region(faces[0].landmarks_xy, large, size_wh=None)
    assert region is not None
    mask = np.zeros(large.shape[:2], bool)
    mask[region.box[1] : region.box[3], region.box[0] : region.box[2]] = region.mask > 0
    assert off[lips].mean() > (4 if look in ("bright", "nude-satin") else 12), "the look is visible"
    assert off[~mask].max() < 1e-9
    assert off[~lips].mean() < 0.5
    assert off[opening].mean() < 2.5, "the teeth keep their colour"
    assert np.median(off[opening]) < 0.5


@pytest.mark.data
@pytest.mark.parametrize("look", LOOKS)
def test_look_is_visible_on_every_skin_tone(look_loader: LookLoader, data_dir: Path, look: str) -> None:
    files = sorted((data_dir / "faces" / "portraits_cc0").glob("*/*.jpg"))[::7]
    tracker = FaceMeshTracker(still=True)
    inside, outside, reds = [], [], []
    for index, file in enumerate(files):
        picture = read_picture(file)
        faces = tracker.track(Frame(picture, index, index, float(index)))
        assert faces, file.name
        painted_bgr = painted(look_loader, picture, faces, look)
        off = delta_e(picture, painted_bgr)
        lips, _ = areas(faces[0], picture.shape)
        inside.append(off[lips].mean())
        outside.append(off[~lips].mean())
        reds.append(rgb2lab(painted_bgr[lips][:, ::-1])[:, 1].mean())
    tracker.close()
    assert len(files) >= 14
    assert max(outside) < 0.5
    assert min(inside) > (2.5 if look in ("bright", "nude-satin") else 6), "visible on every skin tone"
    if look in ("glaze", "matte-red"):
        assert min(reds) > 18, "red is red on every skin"


def noisy_clip(picture: ImageU8, count: int) -> list[ImageU8]:
    """Return copies of a picture with the noise of a webcam."""
    noise = np.random.default_rng(5)
    return [np.clip(picture + noise.normal(0, 4, picture.shape), 0, 255).astype(np.uint8) for _ in range(count)]


@pytest.mark.parametrize("look", LOOKS)
def test_paint_is_stable_on_a_still_face(look_loader: LookLoader, portrait_bgr: ImageU8, look: str) -> None:
    """The paint must add little to the picture's own noise."""
    large: ImageU8 = np.asarray(cv2.resize(portrait_bgr[0:360, 60:420], (720, 720)), np.uint8)
    clip = noisy_clip(large, 24)
    tracker = FaceMeshTracker()
    painter = Painter()
    bare, painted_bgr, lips = [], [], np.zeros(large.shape[:2], bool)
    for index, frame in enumerate(clip):
        faces = tracker.track(Frame(frame, index, index / 30, index / 30))
        if index >= 8:
            lips = areas(faces[0], frame.shape)[0]
            bare.append(cv2.GaussianBlur(frame, (0, 0), 1.5).astype(np.float32))
            made = painted(look_loader, frame, faces, look, painter=painter, at_s=index / 30)
            painted_bgr.append(cv2.GaussianBlur(made, (0, 0), 1.5).astype(np.float32))
    tracker.close()
    change = [np.abs(np.diff(np.stack(frames), axis=0)).mean((0, 3))[lips].mean() for frames in (bare, painted_bgr)]
    assert change[1] < 1.8 * change[0]


def test_nothing_is_painted_without_a_face(look_loader: LookLoader, portrait_bgr: ImageU8) -> None:
    assert np.array_equal(painted(look_loader, portrait_bgr, (), "glaze"), portrait_bgr)


def test_each_of_two_faces_is_painted(look_loader: LookLoader, portrait_bgr: ImageU8) -> None:
    one = find_faces(portrait_bgr)[0].landmarks_xy
    both = np.hstack([portrait_bgr, portrait_bgr])
    shift: Floats = np.array([512, 0], np.float32)
    painted_bgr = painted(look_loader, both, (Face(0, one), Face(1, one + shift)), "glaze")
    off = np.abs(painted_bgr.astype(int) - both).sum(2)
    assert (off[:, :512] > 0).sum() > 200
    assert np.abs(off[:, :512] - off[:, 512:]).max() <= 3, "both faces alike"
