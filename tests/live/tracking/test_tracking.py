"""Face tracking: detection, far faces, several faces, and frames of any size."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.tracking_parts import frame, placed

from live.pipeline.frame import Face, ImageU8
from live.sources.video_source import VideoSource
from live.tracking import far_faces
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.mesh_model import BundledMesh, Mesh


@pytest.fixture
def tracker() -> Iterator[FaceMeshTracker]:
    tracker = FaceMeshTracker(max_faces=4)
    yield tracker
    tracker.close()


def test_landmarks_lie_on_the_face(tracker: FaceMeshTracker, portrait_bgr: ImageU8) -> None:
    (face,) = tracker.track(frame(placed(portrait_bgr, 1.5, (200, -20), (1280, 720)), 0))
    assert face.landmarks_xy.shape == (478, 2)
    mouth = face.landmarks_xy[[61, 291]].mean(0) / 1.5 - np.array([200, -20]) / 1.5
    assert np.hypot(*(mouth - (223, 140))) < 12, "the mouth of the portrait lies near (223, 140)"


def test_far_face_is_found(tracker: FaceMeshTracker, portrait_bgr: ImageU8) -> None:
    found = [tracker.track(frame(placed(portrait_bgr, 0.7, (500, 200), (1280, 720)), index)) for index in range(20)]
    assert sum(map(len, found)) >= 10, "the face is 60 pixels wide in a 1280-pixel-wide frame"


def portraits_in_a_row(portrait_bgr: ImageU8, widths_px: list[int]) -> tuple[ImageU8, list[float]]:
    """Return faces of these widths side by side in 1280x720, and the x of their centres."""
    ground = np.full((720, 1280, 3), 90, np.uint8)
    left, middles_x = 20, []
    for width_px in widths_px:
        scale = width_px / 92  # the portrait's face is 92 pixels wide, its middle at 223
        cut = cv2.resize(portrait_bgr[:280, 90:360], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ground[150 : 150 + cut.shape[0], left : left + cut.shape[1]] = cut
        middles_x.append(left + (223 - 90) * scale)
        left += cut.shape[1] + 20
    return ground, middles_x


def middles_x(faces: tuple[Face, ...]) -> list[float]:
    return sorted(float(np.mean([face.landmarks_xy[:, 0].min(), face.landmarks_xy[:, 0].max()])) for face in faces)


@pytest.mark.parametrize("still", [True, False])
def test_four_far_faces_are_all_found(portrait_bgr: ImageU8, still: bool) -> None:
    picture, expected_x = portraits_in_a_row(portrait_bgr, [64, 78, 92, 100])
    tracker = FaceMeshTracker(max_faces=4, still=still)
    found = [tracker.track(frame(picture, index)) for index in range(3 if still else 25)]
    tracker.close()
    tracker.close()
    assert middles_x(found[-1]) == pytest.approx(expected_x, abs=12)
    widths_px = sorted(float(np.ptp(face.landmarks_xy[:, 0])) for face in found[-1])
    assert widths_px == pytest.approx([64, 78, 92, 100], rel=0.12)
    if not still:
        assert len({tuple(face.face_id for face in faces) for faces in found[12:]}) == 1, "the ids are constant"


@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("upright", [False, True], ids=["wide", "tall"])
def test_four_faces_in_a_row_of_five_portraits_are_found(portrait_bgr: ImageU8, still: bool, upright: bool) -> None:
    portrait = np.asarray(cv2.resize(portrait_bgr[:400, 30:430], (400, 400)), np.uint8)
    tracker = FaceMeshTracker(max_faces=4, still=still)
    row = np.ascontiguousarray(np.concatenate([portrait] * 5, axis=0 if upright else 1))
    found = [tracker.track(frame(row, index)) for index in range(1 if still else 25)][-1]
    tracker.close()
    axis = int(upright)
    in_portraits = {int(face.landmarks_xy[:, axis].mean() // 400) for face in found}
    assert len(found) == len(in_portraits) == 4


def test_far_face_is_found_beside_a_near_one(portrait_bgr: ImageU8) -> None:
    picture, expected_x = portraits_in_a_row(portrait_bgr, [149, 64])
    tracker = FaceMeshTracker(max_faces=2)
    faces = [tracker.track(frame(picture, index)) for index in range(12)][-1]
    tracker.close()
    assert middles_x(faces) == pytest.approx(expected_x, abs=15)


def test_no_more_faces_than_requested(portrait_bgr: ImageU8) -> None:
    picture, _ = portraits_in_a_row(portrait_bgr, [64, 78, 92, 100])
    tracker = FaceMeshTracker(max_faces=2)
    assert max(len(tracker.track(frame(picture, index))) for index in range(25)) == 2
    tracker.close()


def test_near_face_has_priority_over_a_far_one(portrait_bgr: ImageU8) -> None:
    alone, _ = portraits_in_a_row(portrait_bgr, [64])
    beside, (_, near_x) = portraits_in_a_row(portrait_bgr, [64, 149])
    tracker = FaceMeshTracker(max_faces=1)
    assert all(len(tracker.track(frame(alone, index))) == 1 for index in range(2, 20))
    seen_x = [middles_x(tracker.track(frame(beside, index))) for index in range(20, 50)]
    tracker.close()
    assert all(len(faces_x) == 1 for faces_x in seen_x)
    assert all(faces_x == pytest.approx([near_x], abs=20) for faces_x in seen_x[15:]), "found within half a second"


def test_moving_far_face_is_tracked(portrait_bgr: ImageU8) -> None:
    tracker = FaceMeshTracker(max_faces=1, smooth=False)
    pictures = (placed(portrait_bgr, 0.7, (10 + 8 * index, 200), (1280, 720)) for index in range(90))
    found = [tracker.track(frame(picture, index)) for index, picture in enumerate(pictures)]
    tracker.close()
    assert sum(map(len, found)) >= 80
    expected_x = [10 + 8 * index + 223 * 0.7 for index in range(90)]
    assert all(abs(middles_x(faces)[0] - x) < 15 for faces, x in zip(found, expected_x, strict=True) if faces)


def test_frame_size_may_change_while_tracking_a_far_face(portrait_bgr: ImageU8) -> None:
    tracker = FaceMeshTracker(max_faces=1)
    wide = placed(portrait_bgr, 0.85, (850, 180), (1280, 720))
    assert len([tracker.track(frame(wide, index)) for index in range(5)][-1]) == 1
    assert tracker.track(frame(np.zeros((240, 320, 3), np.uint8), 5)) == ()
    assert len(tracker.track(frame(placed(portrait_bgr, 1.0, (0, 0), (512, 512)), 6))) == 1
    tracker.close()


def test_near_face_prevents_far_face_search(portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediapipe.python.solutions import face_detection

    monkeypatch.setattr(face_detection, "FaceDetection", None)  # a search would raise an error
    tracker = FaceMeshTracker(max_faces=1)
    picture, _ = portraits_in_a_row(portrait_bgr, [180, 64])
    assert all(len(tracker.track(frame(picture, index))) == 1 for index in range(30))
    tracker.close()


def test_first_lost_face_loads_no_model_in_the_stream(portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading in the stream would stall it for 50 ms."""
    loaded_by: list[str] = []

    def recorded(function: Callable[..., Any]) -> Callable[..., Any]:
        def load(*given: Any, **named: Any) -> Any:
            loaded_by.append(threading.current_thread().name)
            return function(*given, **named)

        return load

    tracker = FaceMeshTracker(max_faces=1, new_mesh=recorded(BundledMesh))
    tracker.open()
    loaded_by.clear()
    monkeypatch.setattr(far_faces, "new_detector", recorded(far_faces.new_detector))
    near, far = placed(portrait_bgr, 2.6, (0, -60), (1280, 720)), placed(portrait_bgr, 0.7, (900, 200), (1280, 720))
    assert tracker.track(frame(near, 0))
    assert any(tracker.track(frame(far, index)) for index in range(1, 30)), "the far face is found"
    tracker.close()
    assert len(loaded_by) == 2 and threading.current_thread().name not in loaded_by


def test_near_face_does_not_wait_for_far_face_models(portrait_bgr: ImageU8) -> None:
    """With one near face and a limit of two, the search for a far face finds none and needs no mesh."""
    resume, waited, loaded = threading.Event(), [], []

    def late(max_faces: int, *, still: bool) -> Mesh:
        if loaded:
            waited.append(not resume.wait(20))
            raise RuntimeError("not needed")
        loaded.append(max_faces)
        return BundledMesh(max_faces, still=still)

    tracker = FaceMeshTracker(max_faces=2, new_mesh=late)
    tracker.open()
    tracker.track(frame(np.full((720, 1280, 3), 90, np.uint8), 0))  # loads the detector of the search
    assert len(tracker.track(frame(placed(portrait_bgr, 2.6, (0, -60), (1280, 720)), 40))) == 1
    resume.set()
    tracker.close()
    assert waited == [False], "the face was returned before the mesh was loaded"


@pytest.mark.parametrize("size_wh", [(1, 1), (7, 300), (23, 23), (5000, 30)])
def test_tiny_frames_have_no_faces(tracker: FaceMeshTracker, size_wh: tuple[int, int]) -> None:
    assert tracker.track(frame(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), 0)) == ()


def test_landmarks_of_an_8k_frame_are_in_its_pixels(tracker: FaceMeshTracker, portrait_bgr: ImageU8) -> None:
    (face,) = tracker.track(frame(placed(portrait_bgr, 8.0, (1500, 0), (7680, 4320)), 0))
    mouth = (face.landmarks_xy[[61, 291]].mean(0) - np.array([1500, 0])) / 8
    assert np.hypot(*(mouth - (223, 140))) < 12


def test_two_faces_keep_their_ids_while_they_move(portrait_bgr: ImageU8) -> None:
    tracker = FaceMeshTracker(max_faces=2)
    ids: list[dict[str, int]] = []
    head = cv2.resize(portrait_bgr[:240, 120:340], None, fx=2.0, fy=2.0)
    for index in range(16):
        ground = np.full((720, 1280, 3), 90, np.uint8)
        ground[40:520, 60 + 5 * index : 500 + 5 * index] = head
        ground[100:580, 780 - 5 * index : 1220 - 5 * index] = head[:, ::-1]
        faces = tracker.track(frame(ground, index))
        if len(faces) == 2:
            left, right = sorted(faces, key=lambda face: float(face.landmarks_xy[:, 0].mean()))
            ids.append({"left": left.face_id, "right": right.face_id})
    tracker.close()
    assert len(ids) >= 8
    assert all(seen == ids[0] for seen in ids)
    assert ids[0]["left"] != ids[0]["right"]


@pytest.mark.data
@pytest.mark.parametrize("clip", ["want", "school", "eat"])
def test_four_face_mode_tracks_a_single_face_equally_well(data_dir: Path, clip: str) -> None:
    """MediaPipe sometimes finds a face twice, the second one shifted; the shifted one must not be used."""
    source = VideoSource(data_dir / "clips" / "intel_asl_ccby" / f"{clip}.mkv")
    source.open()
    one, four = FaceMeshTracker(max_faces=1), FaceMeshTracker(max_faces=4)
    frames = 0
    while (frame := source.read()) is not None:
        single, multiple = one.track(frame), four.track(frame)
        frames += 1
        assert len(single) == len(multiple) == 1
        distance_px = np.hypot(*(single[0].landmarks_xy.mean(0) - multiple[0].landmarks_xy.mean(0)))
        assert distance_px < 0.08 * np.ptp(single[0].landmarks_xy[:, 0]), f"frame {frames}"
    assert frames > 40
    for part in (one, four, source):
        part.close()
