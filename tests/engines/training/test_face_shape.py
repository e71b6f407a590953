"""The other person of a face swap gets a share of the own shape of face, and skin beyond its outline."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.swap_parts import NAMES, persons

from calibration.training.train_swap import swap_faces
from engines.regions.aligned_face import aligned_face, guide_lines_at
from engines.regions.upright import FACE_OVAL
from engines.training.data.face_shape import in_shape, neutral_shape, shape_shift
from engines.training.data.person_faces import inner, skin_outside
from engines.training.data.picture_pairs import ImageU8
from live.pipeline.frame import Floats, Frame
from live.tracking.face_mesh import FaceMeshTracker

SIDE = 192


@pytest.fixture(scope="module")
def folders(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return persons(data_dir, tmp_path_factory.mktemp("persons"))


def tracked(face: ImageU8) -> Floats:
    """Track a crop, (S, S, C) RGB, and return the landmarks, pixels of the crop."""
    picture = cv2.resize(np.ascontiguousarray(face[:, :, 2::-1]), None, fx=2.0, fy=2.0)
    with contextlib.closing(FaceMeshTracker(still=True)) as tracker:
        (found,) = tracker.track(Frame(np.asarray(picture, np.uint8), 0, 0.0))
    return found.landmarks_xy / 2


def mean_shape(faces: ImageU8) -> Floats:
    """Track the faces again, and return their median shape in the crop."""
    side_px, found = faces.shape[1], []
    for face in faces:
        landmarks_xy = tracked(face)
        region = aligned_face(landmarks_xy, (SIDE, SIDE), (side_px, side_px))
        assert region is not None
        found.append(region.landmarks(landmarks_xy))
    return np.asarray(np.median(np.stack(found), axis=0), np.float32)


def test_the_other_face_comes_closer_to_the_own_shape(folders: tuple[Path, Path]) -> None:
    """Measured by the tracker on the moved pictures; the lines are those of the moved face."""
    apart = []
    for share in (0.0, 0.5, 1.0):
        faces, _ = swap_faces(*folders, NAMES, SIDE, shape=share)
        own, other = mean_shape(faces.one), mean_shape(faces.other)
        apart.append(float(np.hypot(*(own - other)[FACE_OVAL].T).mean()))
    assert apart[1] < 0.75 * apart[0] and apart[2] < 0.5 * apart[0], apart


def test_lines_and_weight_move_with_the_face(folders: tuple[Path, Path]) -> None:
    """Lines that are drawn at the landmarks of the moved picture lie on the moved lines."""
    (unmoved, _), (moved, _) = (swap_faces(*folders, NAMES, SIDE, shape=share) for share in (0.0, 1.0))
    on_lines = {"moved": list[float](), "unmoved": list[float]()}
    for before, after in zip(unmoved.other, moved.other, strict=True):
        lines = guide_lines_at(tracked(after), after.shape[:2], SIDE) > 128
        on_lines["moved"].append((lines & (after[:, :, 4] > 64)).sum() / lines.sum())
        on_lines["unmoved"].append((lines & (before[:, :, 4] > 64)).sum() / lines.sum())
        features = cv2.dilate(np.uint8(after[:, :, 3] > 160), np.ones((5, 5), np.uint8)) > 0
        assert (lines & features).sum() > 0.9 * lines.sum()
    assert np.mean(on_lines["moved"]) > 1.2 * np.mean(on_lines["unmoved"]), on_lines


def test_points_move_as_the_picture_does() -> None:
    rng = np.random.default_rng(0)
    at_xy = rng.uniform(40, 152, (478, 2)).astype(np.float32)
    shift = shape_shift(at_xy, at_xy + np.float32((4, -3)), 1.0, SIDE)
    picture = np.zeros((SIDE, SIDE, 1), np.uint8)
    cv2.circle(picture, (96, 100), 6, (255,), -1)
    y, x = np.nonzero(in_shape(picture, shift.maps()) > 127)
    moved = shift.moved(np.float32([(96.5, 100.5)]))[0]
    assert np.abs(moved - (x.mean() + 0.5, y.mean() + 0.5)).max() < 0.3
    assert np.abs(moved - (100.5, 97.5)).max() < 0.6, "a shift that all landmarks share is almost reached"
    corner = shift.moved(np.float32([(2, 2)]))[0]
    assert np.abs(corner - 2).max() < 0.1, "nothing moves far from the face"


def test_an_open_mouth_does_not_change_the_neutral_shape() -> None:
    shapes = np.zeros((10, 478, 2), np.float32)
    openings = np.tile(np.float32([100, 5]), (10, 1))
    shapes[6:], openings[6:, 1] = 9, 300
    assert not neutral_shape(shapes, openings).any()


def test_skin_continues_where_the_background_was(folders: tuple[Path, Path]) -> None:
    faces, _ = swap_faces(*folders, NAMES, SIDE)
    for face in inner(faces.other, SIDE):
        rgb, weight = np.ascontiguousarray(face[:, :, :3]), np.ascontiguousarray(face[:, :, 3])
        rgb[weight == 0] = (0, 0, 255)  # a wall in a colour that no face has
        beyond = skin_outside(rgb, weight).astype(int)
        assert (beyond[weight == 0][:, 0] > beyond[weight == 0][:, 2]).all(), "redder than blue, as skin is"
        sure = cv2.erode(np.uint8(weight >= 128), np.ones((33, 33), np.uint8)) > 0
        assert np.abs(beyond[sure] - rgb[sure]).max() <= 2, "the face itself is kept"
        assert np.array_equal(beyond[weight >= 254], rgb[weight >= 254]), "so are eyes and mouth, at its border, too"


def test_without_a_face_one_colour_is_left() -> None:
    grey, nothing = np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64), np.uint8)
    assert np.ptp(skin_outside(grey, nothing)) == 0
