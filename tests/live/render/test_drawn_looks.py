"""The shipped drawing and retouching looks on the built-in portrait at webcam size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import photo_region

from engines.looks_file import load_looks
from engines.regions.upright import FACE_OVAL, picture_region
from engines.runtime.base import Regions
from engines.runtime.hot_swap import HotSwapEngine
from engines.training.teachers.face_parts import find_parts
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, ImageU8
from live.portrait import portrait_bgr
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.render.painter import Painter
from live.tracking.person_segmenter import PersonSegmenter

PAINTED = ["woodblock", "vangogh", "kandinsky"]
VARIANTS = ["toon-room", "toon-fine", "comic-noir", "gouache-room"]
DRAWN = ["toon", "comic", "gouache", "sketch", "toon-glaze", *VARIANTS, *PAINTED]


@pytest.fixture(scope="module")
def look_loader() -> Iterator[LookLoader]:
    made = LookLoader(load_looks(), runtime="auto", say=print)
    yield made
    made.close()


@cache
def _scene() -> tuple[ImageU8, Face, ImageU8]:
    """Return a 1280x720 frame with the portrait at desk distance, its face, and its person mask."""
    near = portrait_bgr()[:228, 18:423]
    frame_bgr = np.asarray(cv2.resize(near, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8)
    with PersonSegmenter(still=True) as segmenter:
        return frame_bgr, find_faces(frame_bgr)[0], segmenter.mask(frame_bgr)


def _painted(look: str, look_loader: LookLoader) -> ImageU8:
    frame_bgr, face, person = _scene()
    painted_bgr = frame_bgr.copy()
    Painter().paint(painted_bgr, (face,), look_loader.load(look), 1.0, at_s=0.0, person=person)
    return painted_bgr


def _inside(points_xy: np.ndarray, shrink: float = 1.0) -> np.ndarray:
    mask = np.zeros(_scene()[0].shape[:2], np.uint8)
    smaller = points_xy.mean(0) + shrink * (points_xy - points_xy.mean(0))
    cv2.fillPoly(mask, [np.rint(smaller).astype(np.int32)], (1,))
    return mask > 0


def _skin() -> np.ndarray:
    """Return the mask of the cheeks and the middle of the forehead."""
    face = _scene()[1].landmarks_xy
    return np.logical_or.reduce(
        [_inside(face[[i, j, k]]) for i, j, k in ((50, 101, 205), (280, 330, 425), (9, 67, 297))]
    )


@pytest.mark.parametrize("look", [look for look in DRAWN if "comic" not in look])  # a halftone screen is not flat
def test_drawn_look_flattens_the_skin(look: str, look_loader: LookLoader) -> None:
    frame_bgr, face, _ = _scene()
    painted_bgr = _painted(look, look_loader)
    grey, before = (cv2.cvtColor(one, cv2.COLOR_BGR2GRAY).astype(np.float32) for one in (painted_bgr, frame_bgr))
    fine = [np.abs(one - cv2.GaussianBlur(one, (0, 0), 3))[_skin()] for one in (grey, before)]
    assert np.median(fine[0]) < 0.95 * np.median(fine[1]), "the skin is flat"
    whole = _inside(face.landmarks_xy[FACE_OVAL], 0.95)
    assert np.abs(painted_bgr.astype(int) - frame_bgr)[whole].mean() > 6, "it is a drawing, not the photo"


@pytest.mark.parametrize("look", DRAWN)
def test_drawn_face_keeps_its_landmarks(look: str, look_loader: LookLoader) -> None:
    _, face, _ = _scene()
    (drawn,) = find_faces(_painted(look, look_loader))
    eyes = float(np.linalg.norm(face.landmarks_xy[468] - face.landmarks_xy[473]))
    drift = np.linalg.norm(drawn.landmarks_xy[:468] - face.landmarks_xy[:468], axis=1).mean()
    assert drift < 0.04 * eyes


@pytest.mark.parametrize("look", ["toon", "toon-glaze"])
def test_room_is_bit_identical(look: str, look_loader: LookLoader) -> None:
    frame_bgr, _, _ = _scene()
    painted_bgr = _painted(look, look_loader)
    wall = np.s_[20:400, 20:240]
    assert np.array_equal(painted_bgr[wall], frame_bgr[wall])


def test_drawing_shows_no_seam_at_the_head_region(look_loader: LookLoader) -> None:
    """No row or column of the sketch differs from its neighbour as a border would."""
    frame_bgr, _, _ = _scene()
    painted_bgr = cv2.cvtColor(_painted("sketch", look_loader), cv2.COLOR_BGR2GRAY).astype(np.float32)
    bare = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY).astype(np.float32)
    for axis in (0, 1):
        steps = np.abs(np.diff(painted_bgr, axis=axis).mean(1 - axis))
        usual = np.abs(np.diff(bare, axis=axis).mean(1 - axis))
        assert steps.max() < max(6.0, 2.5 * usual.max())


def test_sketch_is_grey_on_paper(look_loader: LookLoader) -> None:
    painted_bgr = _painted("sketch", look_loader)
    lab = cv2.cvtColor(painted_bgr.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    assert np.abs(lab[..., 1:]).mean() < 6
    assert np.percentile(lab[..., 0], 90) > 85


def test_soft_evens_only_the_skin(look_loader: LookLoader) -> None:
    frame_bgr, face, _ = _scene()
    spotted = frame_bgr.copy()
    rng = np.random.default_rng(3)
    spots = face.landmarks_xy[rng.permutation([50, 101, 205, 280, 330, 425, 36, 266, 187, 411])]
    for x, y in spots:
        cv2.circle(spotted, (int(x), int(y)), 3, (90, 100, 190), -1, cv2.LINE_AA)
    spotted = cv2.GaussianBlur(spotted, (0, 0), 1.0)
    painted_bgr = spotted.copy()
    Painter().paint(painted_bgr, (face,), look_loader.load("soft"), 1.0, at_s=0.0)

    def seen(picture: ImageU8) -> float:
        lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
        around = cv2.GaussianBlur(lab, (0, 0), 9)
        return float(np.mean([np.linalg.norm((lab - around)[int(y), int(x)]) for x, y in spots]))

    assert seen(painted_bgr) < 0.75 * seen(spotted), "the spots are reduced"
    change = np.abs(painted_bgr.astype(int) - spotted).mean(2)
    for name, ring in (("eyes", [33, 160, 158, 133, 153, 144]), ("eyes", [362, 385, 387, 263, 373, 380])):
        assert change[_inside(face.landmarks_xy[ring], 0.8)].mean() < 4, name
    assert change[_inside(face.landmarks_xy[[70, 63, 105, 66, 107]])].mean() < 6, "brows"
    assert change[:60].max() == 0 and change[:, :200].max() == 0, "hair and room"


def test_covering_looks_never_fall_back_to_raw() -> None:
    looks = load_looks()
    for name in DRAWN:
        assert (looks[name].no_face, looks[name].hold_s, looks[name].then) == ("hold", 0.5, "blur")
    assert {looks[name].no_face for name in looks if name not in DRAWN} == {"raw"}


@pytest.fixture
def network_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the widths of the crops that networks get from now on: 256 for the body, 192 for the head."""
    sizes, infer = list[int](), HotSwapEngine.infer

    def counted(engine: HotSwapEngine, regions_bgr: Regions) -> NDArray[np.float32]:
        sizes.append(regions_bgr.shape[2])
        return infer(engine, regions_bgr)

    monkeypatch.setattr(HotSwapEngine, "infer", counted)
    return sizes


def test_body_is_computed_40_times_a_second_the_head_always(look_loader: LookLoader, network_sizes: list[int]) -> None:
    frame_bgr, face, person = _scene()
    painter, look = Painter(), look_loader.load("toon")
    for number in range(6):
        painter.paint(frame_bgr.copy(), (face,), look, 1.0, at_s=number / 60, person=person)
    assert network_sizes.count(256) == 3 and network_sizes.count(192) == 6
    painter.paint(np.ascontiguousarray(frame_bgr[::-1]), (), look, 1.0, at_s=5 / 60, person=person)
    assert network_sizes.count(256) == 4, "after a cut the planes of the frame before are not used"


def test_live_a_head_that_keeps_still_is_computed_less_often(look_loader: LookLoader, network_sizes: list[int]) -> None:
    frame_bgr, face, person = _scene()
    noise, painter, look = np.random.default_rng(0), Painter(live=True), look_loader.load("toon")
    for number in range(6):
        noisy = (frame_bgr + noise.normal(0, 3, frame_bgr.shape)).clip(0, 255).astype(np.uint8)
        painter.paint(noisy, (face,), look, 1.0, at_s=number / 30, person=person)
    assert network_sizes.count(192) == 3
    left, top, right, bottom = (int(edge) for edge in (*face.landmarks_xy.min(0), *face.landmarks_xy.max(0)))
    frame_bgr = frame_bgr.copy()
    frame_bgr[top:bottom, left : (left + right) // 2] //= 2  # a hand or a shadow
    painter.paint(frame_bgr, (face,), look, 1.0, at_s=0.17, person=person)
    assert network_sizes.count(192) == 4, "what changed is drawn at once"


@pytest.mark.parametrize("look", ["sketch", *PAINTED])
def test_a_noisy_film_flickers_less_than_single_pictures(look: str, look_loader: LookLoader) -> None:
    frame_bgr, face, person = _scene()
    rng, loaded, film = np.random.default_rng(1), look_loader.load(look), Painter()
    changes: dict[str, list[float]] = {"film": [], "single": []}
    last: dict[str, NDArray[np.float32]] = {}
    for number in range(5):
        noisy_bgr = np.clip(frame_bgr + rng.normal(0, 4, frame_bgr.shape), 0, 255).astype(np.uint8)
        for kind, painter in (("film", film), ("single", Painter())):
            painted_bgr = noisy_bgr.copy()
            painter.paint(painted_bgr, (face,), loaded, 1.0, at_s=number / 30, person=person)
            shown = painted_bgr[_skin()].astype(np.float32)
            if kind in last:
                changes[kind].append(float(np.abs(shown - last[kind]).mean()))
            last[kind] = shown
    assert np.mean(changes["film"]) < 0.7 * np.mean(changes["single"])


@pytest.mark.data
@pytest.mark.parametrize("photo", ["01", "06", "20"])
def test_grey_hair_is_drawn_grey(photo: str, data_dir: Path, look_loader: LookLoader) -> None:
    path = data_dir / f"faces/portraits_cc0/male/{photo}.jpg"
    bare_bgr, region = read_picture(path), photo_region(path, "head")
    (face,) = find_faces(bare_bgr)
    painted_bgr = bare_bgr.copy()
    with PersonSegmenter(still=True) as segmenter:
        person = segmenter.mask(bare_bgr)
    Painter().paint(painted_bgr, (face,), look_loader.load("toon"), 1.0, at_s=0.0, person=person)
    parts, size_wh = find_parts(region), (region.rgb.shape[1], region.rgb.shape[0])
    head = picture_region("head", face.landmarks_xy, size_wh, (bare_bgr.shape[1], bare_bgr.shape[0]))
    assert head is not None
    hair = (parts.hair > 0.7) & (parts.person > 0.9)
    drawn, bare = (
        cv2.cvtColor(head.crop(one).astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[hair].mean(0)
        for one in (painted_bgr, bare_bgr)
    )
    assert np.hypot(*(drawn - bare)[1:]) < 5, (drawn, bare)
