"""Lip looks on real faces: the lips change, everything else stays, and the paint is stable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from support.hand_parts import open_hand

from engines.looks_file import load_looks
from engines.regions.hand_shapes import uncovered
from engines.regions.lips_region import INNER_LIPS, OUTER_LIPS, lips_region
from live.options import ApplyOptions
from live.picture_files.picture_reader import PictureFile, read_picture
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.recording.film_apply import apply_to_film
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.render.painter import Painter
from live.render.picture_renderer import PictureRenderer
from live.sources.video_source import film_frames
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


def test_a_hand_before_the_mouth_is_not_painted_over(look_loader: LookLoader, portrait_bgr: ImageU8) -> None:
    (face,) = find_faces(portrait_bgr)
    lips, _ = areas(face, portrait_bgr.shape)
    middle_xy = face.landmarks_xy[[13, 14]].mean(0).tolist()
    hand = open_hand(middle_xy, 0.7 * float(np.ptp(face.landmarks_xy[:, 0])))
    for look in ("glaze", "toon"):
        bare, covered = (
            painted(look_loader, portrait_bgr, (replace(face, hands=hands),), look) for hands in ((), (hand,))
        )
        assert np.array_equal(bare[:, :40], covered[:, :40])
        if look == "glaze":
            below = (uncovered((0, 0, *portrait_bgr.shape[1::-1]), [hand]) == 0) & lips
            assert below.any() and np.array_equal(covered[below], portrait_bgr[below])
            assert not np.array_equal(bare[below], portrait_bgr[below])
        else:
            x, y = (round(place) for place in middle_xy)
            spans = [np.ptp(rgb2lab(one[y - 8 : y + 8, x - 8 : x + 8, ::-1])[..., 0]) for one in (bare, covered)]
            assert spans[0] > 2 * spans[1], "lightness: no lips and teeth are drawn on a hand"


def test_lips_keep_their_colour_after_a_hand(look_loader: LookLoader, portrait_bgr: ImageU8) -> None:
    (face,) = find_faces(portrait_bgr)
    middle_xy = face.landmarks_xy[[13, 14]].mean(0).tolist()
    hand = open_hand(middle_xy, 2.0 * float(np.ptp(face.landmarks_xy[:, 0])))
    painter, shown = Painter(), []
    for number in range(40):
        here = replace(face, hands=(hand,) if 5 <= number < 35 else ())
        shown.append(painted(look_loader, portrait_bgr, (here,), "glaze", painter=painter, at_s=number / 30))
    assert np.array_equal(shown[20], portrait_bgr)
    off = np.abs(shown[35].astype(int) - shown[4]).max()
    assert off <= 4, "levels"


@pytest.mark.data
def test_film_and_picture_leave_a_hand_before_the_mouth_bare(data_dir: Path, tmp_path: Path) -> None:
    """Frames of a person who signs: lips are painted until the hand comes, and not below it."""
    film, look = data_dir / "clips" / "intel_asl_ccby" / "bird.mkv", load_looks()["matte-red"]
    with closing(film_frames(film)) as source, closing(FaceMeshTracker()) as tracker:
        shown = [(frame.bgr.copy(), tracker.track(frame)[0]) for frame in islice(source, 40)]
    result = apply_to_film(film, tmp_path / "made.mkv", ApplyOptions(look="matte-red"), look, lambda *_: None)
    assert result.frames > 40
    with closing(film_frames(tmp_path / "made.mkv")) as made:
        redder = [_redder(before, after.bgr, face) for (before, face), after in zip(shown, made, strict=False)]
    free, covered = float(np.median(redder[:8])), float(np.median(redder[22:38]))
    assert free > 8 and covered < 0.3 * free
    cv2.imwrite(str(tmp_path / "one.png"), shown[30][0])
    with closing(PictureRenderer(ApplyOptions(look="matte-red"), look)) as renderer:
        renderer(PictureFile(tmp_path / "one.png"), tmp_path / "made.png")
    assert _redder(shown[30][0], read_picture(tmp_path / "made.png"), shown[30][1]) < 0.3 * free


def _redder(before: ImageU8, after: ImageU8, face: Face) -> float:
    """Return how much redder the middle of the mouth became, CIE a*."""
    x, y = np.rint(face.landmarks_xy[[13, 14, 17]].mean(0)).astype(int)
    patches = (picture[y - 3 : y + 4, x - 6 : x + 7, ::-1] for picture in (before, after))
    reds = [float(rgb2lab(patch)[..., 1].mean()) for patch in patches]
    return reds[1] - reds[0]
