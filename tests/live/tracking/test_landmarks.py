"""Landmarks of a face over time: smoothing, ids, the mouth; and the files of the face model."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tracking_parts import frame, placed

from engines.errors import TrackingError
from live.pipeline.frame import Floats, Frame, ImageU8
from live.sources.video_source import VideoSource
from live.tracking.face_identity import FaceIdentity
from live.tracking.face_landmarker import LandmarkerMesh
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.mesh_model import _relative_xy
from live.tracking.mouth_slip import limit_mouth, mouth_jump


def face_track(base_xy: Floats, offsets_xy: NDArray[np.float64], noise_px: float) -> list[Floats]:
    noise = np.random.default_rng(3)
    return [(base_xy + o + noise.normal(0, noise_px, base_xy.shape)).astype(np.float32) for o in offsets_xy]


@pytest.fixture
def base_xy(portrait_bgr: ImageU8) -> Floats:
    tracker = FaceMeshTracker(still=True)
    (face,) = tracker.track(frame(portrait_bgr, 0))
    tracker.close()
    return face.landmarks_xy


def test_still_face_has_less_jitter(base_xy: Floats) -> None:
    identity = FaceIdentity()
    raw = face_track(base_xy, np.zeros((90, 2)), 0.2)
    smooth = [identity.assign([xy], index / 30)[0].landmarks_xy for index, xy in enumerate(raw)]
    moved_raw = np.abs(np.diff(np.stack(raw[30:]), axis=0)).mean()
    moved_smooth = np.abs(np.diff(np.stack(smooth[30:]), axis=0)).mean()
    assert moved_smooth < 0.4 * moved_raw


def test_moving_face_is_followed_without_lag(base_xy: Floats) -> None:
    identity = FaceIdentity()
    speed_px = 8.0  # a frame, at 30 fps: a brisk turn
    offsets = np.stack([np.arange(40) * speed_px, np.zeros(40)], 1)
    raw = face_track(base_xy, offsets, 0.2)
    smooth = [identity.assign([xy], index / 30)[0].landmarks_xy for index, xy in enumerate(raw)]
    behind_px = np.stack(raw)[20:, :, 0].mean(1) - np.stack(smooth)[20:, :, 0].mean(1)
    assert behind_px.max() < 0.25 * speed_px, "less than a quarter of a frame behind"


def test_face_id_survives_a_short_loss_only(base_xy: Floats) -> None:
    identity = FaceIdentity()
    first = identity.assign([base_xy], 0.0)[0].face_id
    assert identity.assign([], 0.2) == ()
    assert identity.assign([base_xy + 5], 0.4)[0].face_id == first
    assert identity.assign([base_xy], 3.0)[0].face_id != first


def largest_mouth_jump(tracker: FaceMeshTracker, frames: Iterable[Frame]) -> tuple[float, int]:
    """Return the largest jump of the mouth in face widths, and the number of frames with a face; close the tracker."""
    found = [faces[0].landmarks_xy for one in frames if (faces := tracker.track(one))]
    tracker.close()
    return max(mouth_jump(before, after) for before, after in pairwise(found)), len(found)


@pytest.mark.parametrize("scale", [0.8, 0.9])
def test_small_face_has_its_lips_right_from_the_first_frame(portrait_bgr: ImageU8, scale: float) -> None:
    """The first mesh after a detection is coarse: its mouth moved by 0.022 to 0.024 face widths on the next frame."""
    picture = placed(portrait_bgr, scale, (213, 120), (640, 480))
    jump, found = largest_mouth_jump(FaceMeshTracker(smooth=False), (frame(picture.copy(), n) for n in range(4)))
    assert found == 4 and jump < 0.01


@pytest.mark.data
@pytest.mark.parametrize("model", ["bundled", "landmarker"])
def test_lips_stay_on_the_mouth_as_a_far_face_comes_near(data_dir: Path, model: str) -> None:
    """At frame 9 the mesh of the whole frame takes over; its first result had the lips 0.12 face widths too low."""
    source = VideoSource(data_dir / "clips" / "intel_asl_ccby" / "walk.mkv")
    source.open()
    tracker = FaceMeshTracker(smooth=False) if model == "bundled" else landmarker(data_dir, smooth=False)
    jump, found = largest_mouth_jump(tracker, iter(source.read, None))
    source.close()
    assert found == 89, "the face is found on every frame, by both trackers"
    assert jump < 0.04


def test_slipped_mouth_is_held_back_and_a_grimace_is_not(base_xy: Floats) -> None:
    slipped_xy, grimace_xy = base_xy.copy(), base_xy.copy()
    mouth = np.abs(base_xy - base_xy[[13, 14]].mean(0)).max(1) < 0.25 * np.ptp(base_xy[:, 0])
    slipped_xy[mouth] += np.float32([0, 0.3 * np.ptp(base_xy[:, 0])])
    grimace_xy[mouth] += np.float32([0.03 * np.ptp(base_xy[:, 0]), 0])
    moved = np.float32([[0.98, 0.2], [-0.2, 0.98]])  # the head turns and moves meanwhile
    assert limit_mouth(base_xy, grimace_xy @ moved + 40, 1 / 30) == pytest.approx(grimace_xy @ moved + 40)
    identity = FaceIdentity()
    shown = [identity.assign([xy], n / 30)[0].landmarks_xy for n, xy in enumerate([base_xy, slipped_xy, base_xy])]
    assert mouth_jump(base_xy, slipped_xy) > 0.2
    assert all(mouth_jump(before, after) <= 0.05 for before, after in pairwise(shown))


def test_landmark_at_zero_is_read_point_by_point() -> None:
    from mediapipe.framework.formats import landmark_pb2

    points = landmark_pb2.NormalizedLandmarkList()
    for index in range(478):
        points.landmark.add(x=index / 478, y=0.5, z=-0.1)
    expected = np.array([(p.x, p.y) for p in points.landmark], np.float32)
    assert np.array_equal(_relative_xy(points), expected)  # landmark 0 has x = 0, which the wire format may omit
    points.landmark[3].ClearField("y")
    expected[3, 1] = 0
    assert np.array_equal(_relative_xy(points), expected)


def landmarker(data_dir: Path, **more: Any) -> FaceMeshTracker:
    return FaceMeshTracker(new_mesh=partial(LandmarkerMesh, data_dir / "models" / "face_landmarker.task"), **more)


@pytest.mark.data
def test_landmarker_task_agrees_with_the_mesh(data_dir: Path, portrait_bgr: ImageU8, base_xy: Floats) -> None:
    tracker = landmarker(data_dir)
    (face,) = tracker.track(frame(portrait_bgr, 0))
    tracker.close()
    eyes_px = np.hypot(*(base_xy[33] - base_xy[263]))
    assert np.hypot(*(face.landmarks_xy - base_xy).T).mean() < 0.06 * eyes_px


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_unusable_face_model_is_a_one_line_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "face.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrackingError, match="face.task") as caught:
        FaceMeshTracker(new_mesh=partial(LandmarkerMesh, path)).open()
    assert "\n" not in str(caught.value)
