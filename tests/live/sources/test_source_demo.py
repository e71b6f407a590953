"""DemoSource: a detectable, smoothly moving face that leaves the picture once per cycle."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from live.pipeline.frame import Frame
from live.sources.demo_source import ABSENT_S, CYCLE_S, DemoSource, pose_at
from live.tracking.quiet_stderr import quiet_stderr

Picture = NDArray[np.uint8]
Points = NDArray[np.float32]
RIM = [10, 152, 234, 454]  # of the face mesh: top of the forehead, chin, and both sides


def frames_of(source: DemoSource) -> Iterator[Frame]:
    source.open()
    while (frame := source.read()) is not None:
        yield frame
    source.close()


@pytest.fixture(scope="module")
def find_face() -> Iterator[Callable[[Picture], Points | None]]:
    """MediaPipe's face mesh: returns the landmarks, (478, 2) float32 pixels, or None."""
    with quiet_stderr():
        from mediapipe.python.solutions.face_mesh import FaceMesh

        mesh = FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True)
        mesh.process(np.zeros((96, 128, 3), np.uint8))

    def find(bgr: Picture) -> Points | None:
        found = mesh.process(np.ascontiguousarray(bgr[:, :, ::-1])).multi_face_landmarks
        if not found:
            return None
        size = np.array([bgr.shape[1], bgr.shape[0]], np.float32)
        return np.array([(point.x, point.y) for point in found[0].landmark], np.float32) * size

    yield find
    mesh.close()


def test_face_is_detected_except_while_absent(find_face: Callable[[Picture], Points | None]) -> None:
    visible, absent = [], []
    for frame in frames_of(DemoSource(fps=5, pace=False, frames=60)):
        assert frame.pts_s is not None
        points = find_face(frame.bgr)
        if ABSENT_S[0] <= frame.pts_s <= ABSENT_S[1]:
            absent.append(points)
        else:
            visible.append(points)
    assert len(absent) >= 5 and all(points is None for points in absent)
    faces = [points for points in visible if points is not None]
    assert len(faces) >= 0.85 * len(visible)
    heights_px = [float(np.hypot(*(points[RIM[0]] - points[RIM[1]]))) for points in faces]
    assert 190 <= heights_px[0] <= 270, "the face has the size of one before a webcam"
    assert max(heights_px) > 1.25 * min(heights_px), "it approaches"
    turns = [np.degrees(np.arctan2(*(points[RIM[3]] - points[RIM[2]])[::-1])) for points in faces]
    assert min(turns) < -12 and max(turns) > 12, "it turns to both sides"


def test_picture_is_empty_while_absent() -> None:
    empty = [
        frame.bgr
        for frame in frames_of(DemoSource(fps=10, pace=False, frames=120))
        if ABSENT_S[0] <= (frame.pts_s or 0) <= ABSENT_S[1]
    ]
    assert len(empty) >= 10
    assert all(np.array_equal(picture, empty[0]) for picture in empty)
    assert empty[0].std() < 30, "only the wall"


def test_frame_depends_only_on_its_number() -> None:
    once = {frame.frame_id: frame.bgr for frame in frames_of(DemoSource(pace=False, frames=40))}
    again = DemoSource(pace=True, fps=30, frames=4)
    again.open()
    time.sleep(0.2)
    while (frame := again.read()) is not None:
        assert np.array_equal(frame.bgr, once[frame.frame_id])
    half = [frame.bgr for frame in frames_of(DemoSource(pace=False, fps=15, frames=20))]
    assert all(np.array_equal(bgr, once[2 * index]) for index, bgr in enumerate(half)), "half the rate"


def test_pose_repeats_after_a_cycle() -> None:
    for time_s in np.linspace(0, CYCLE_S, 50):
        one, next_one = pose_at(float(time_s)), pose_at(float(time_s) + CYCLE_S)
        assert (one.x, one.y, one.turn_rad, one.zoom) == pytest.approx(
            (next_one.x, next_one.y, next_one.turn_rad, next_one.zoom), abs=1e-6
        )


def test_pose_changes_smoothly_while_visible() -> None:
    for frame in range(int(CYCLE_S * 30)):
        now_s = frame / 30
        if ABSENT_S[0] <= now_s <= ABSENT_S[1]:
            continue
        here, there = pose_at(now_s), pose_at(now_s + 1 / 30)
        assert abs(there.x - here.x) < 0.09 and abs(there.y - here.y) < 0.01
        assert abs(there.turn_rad - here.turn_rad) < 0.03 and abs(there.zoom - here.zoom) < 0.03


def test_each_frame_is_an_array_of_its_own() -> None:
    source = DemoSource(pace=False)
    source.open()
    first, second = source.read(), source.read()
    assert first is not None and second is not None
    kept = second.bgr.copy()
    first.bgr[:] = 0
    third = source.read()
    assert third is not None and third.bgr.flags.c_contiguous and third.bgr.mean() > 50
    assert np.array_equal(second.bgr, kept)


@pytest.mark.parametrize("size_wh", [(1, 1), (31, 17), (640, 480), (720, 1280), (1920, 1080)])
def test_demo_supports_any_size(size_wh: tuple[int, int]) -> None:
    source = DemoSource(size_wh=size_wh, fps=4, pace=False, frames=48)
    assert source.open().size_wh == size_wh
    for _ in range(48):
        frame = source.read()
        assert frame is not None and frame.size_wh == size_wh
    assert source.read() is None


@pytest.mark.parametrize("size_wh", [(640, 480), (480, 640), (640, 360)])
def test_lower_edge_of_the_portrait_is_never_visible(size_wh: tuple[int, int]) -> None:
    """The body reaches the lower edge of the frame in every pose."""
    source = DemoSource(size_wh=size_wh, fps=10, pace=False, frames=120)
    source.open()
    pictures = [frame.bgr.astype(int) for frame in iter(source.read, None)]
    wall = next(bgr for index, bgr in enumerate(pictures) if ABSENT_S[0] < index / 10 < ABSENT_S[1])
    for bgr in pictures:
        person = np.abs(bgr - wall).max(axis=2) > 24
        lowest = person[-1].sum()
        assert lowest >= 0.5 * person[-size_wh[1] // 8].sum(), "the body reaches the last row"


def test_paced_demo_behaves_like_a_camera() -> None:
    source = DemoSource(size_wh=(320, 180), fps=50, pace=True)
    source.open()
    assert source.live
    began_s = time.monotonic()
    frames = [source.read() for _ in range(11)]
    assert time.monotonic() - began_s >= 10 / 50 - 0.01
    time.sleep(0.3)
    late_s = time.monotonic()
    frames += [source.read() for _ in range(5)]
    assert time.monotonic() - late_s >= 3 / 50, "no burst after a delay"
    assert [frame.frame_id for frame in frames if frame] == list(range(16))
    threading.Timer(0.1, source.close).start()
    deadline_s = time.monotonic() + 10
    while source.read() is not None:
        assert time.monotonic() < deadline_s
    assert source.read() is None


def test_unpaced_frames_have_timestamps() -> None:
    frames = list(frames_of(DemoSource(size_wh=(320, 180), fps=25, pace=False, frames=5)))
    assert [frame.pts_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert all(here.captured_s <= there.captured_s for here, there in itertools.pairwise(frames))


def test_demo_imports_no_large_libraries() -> None:
    script = (
        "import sys; from live.sources.demo_source import DemoSource; s = DemoSource(pace=False); s.open(); s.read();"
        "print([name for name in ('skimage', 'scipy', 'mediapipe', 'torch', 'av') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""
